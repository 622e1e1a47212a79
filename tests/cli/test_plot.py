"""`pulsaurora plot keogram`."""

import numpy as np
import pytest
import synthetic

from pulsaurora.cli.main import run


@pytest.fixture
def stream0(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for imager in ("themis19", "themis20"):
        path = synthetic.minute_path(tmp_path / "stream0", imager=imager)
        synthetic.write_minute(path, synthetic.pixels(4), imager=imager)
    return "stream0"


def test_one_picture_an_imager(stream0, tmp_path, capsys):
    assert run(["plot", "keogram", "GILL", "2014-03-10", "--stream0", stream0]) == 0
    names = sorted(path.name for path in (tmp_path / "reports/figures").iterdir())
    assert names == ["20140310_gill_themis19_keogram.png", "20140310_gill_themis20_keogram.png"]
    assert capsys.readouterr().out.count("_keogram.png") == 2
    pixels = (tmp_path / "reports/figures" / names[0]).read_bytes()
    assert np.frombuffer(pixels[16:24], ">u4").tolist() == [1320, 539]


def test_what_could_not_be_read_is_said_and_told_by_the_status(stream0, tmp_path, capsys):
    broken = synthetic.minute_path(tmp_path / "stream0", "2014-03-10T06:07")
    broken.write_bytes(b"nothing of the kind")
    assert run(["plot", "keogram", "gill", "2014-03-10", "--stream0", stream0, "--out", "here"]) == 3
    assert broken.name in capsys.readouterr().err
    assert len(list((tmp_path / "here").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gill", "2014-03-11"], "no frames of gill"),
        (["rank", "2014-03-10"], "no frames of rank"),
        (["gill", "10.3.2014"], "YYYY-MM-DD"),
        (["gillam", "2014-03-10"], "gillam"),
        (["gill"], "DATE"),
        (["gill", "2014-03-10", "--classifications", "none"], "with --classifications or PULSAURORA_OUT"),
    ],
)
def test_wrong_usage_is_explained(stream0, arguments, said, capsys):
    assert run(["plot", "keogram", *arguments, "--stream0", stream0]) == 2
    assert said in capsys.readouterr().err
