"""Scripts under the names users know, and the demo and training commands."""

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic
import tinymodel

from pulsaurora.archive.tables import read_classifications
from pulsaurora.classification import model as model_module
from pulsaurora.cli import log, main

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [ROOT / "scripts/all_tasks.py", ROOT / "calgary-version/all_tasks.py"]


def script(path, *arguments, cwd, **known):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [sys.executable, str(path), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env=environment | known,
    )


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """A model made up for the test in the place of the one that comes with the package."""
    path = tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")
    monkeypatch.setattr(model_module, "_EMBEDDED", path)
    monkeypatch.setattr(model_module, "_embedded_models", {})
    monkeypatch.chdir(tmp_path)
    yield path
    log.stop()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.parent.name)
def test_scripts_say_how_they_are_used(path, tmp_path):
    for arguments in ((), ("2014-03-10",), ("-x", "2014-03-10"), ("1", "2", "3", "4")):
        shown = script(path, *arguments, cwd=tmp_path)
        assert shown.returncode == 2 and "'YYYY-MM-DD' 'YYYY-MM-DD' [NUM_PROCESSES]" in shown.stderr
    shown = script(path, "2014-03-10", "10 March", cwd=tmp_path)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert "'10 March' is not a date" in shown.stderr
    shown = script(path, "2014-03-10", "2014-03-10", "two", cwd=tmp_path)
    assert shown.returncode == 2 and "--workers" in shown.stderr
    shown = script(path, "--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "") and "[NUM_PROCESSES]" in shown.stdout
    assert len(path.read_text().split("\n")) < 60  # a page


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.parent.name)
def test_scripts_classify_what_the_environment_names(path, tmp_path, embedded, monkeypatch, capsys):
    stream0, out = tmp_path / "stream0", tmp_path / "out"
    synthetic.write_minute(synthetic.minute_path(stream0), synthetic.pixels(4))
    monkeypatch.setenv("PULSAURORA_STREAM0", str(stream0))
    monkeypatch.setenv("PULSAURORA_OUT", str(out))
    spec = {"__name__": "tried", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), spec)
    assert spec["main"](["2014-03-10", "2014-03-10", "2"]) == 0
    table = read_classifications(out / "2014/03/10/20140310_gill_themis19_classifications.txt")
    assert len(table) == 4
    assert (tmp_path / "logs").is_dir()


def test_the_calgary_version_reads_stream0_and_writes_here_by_itself(tmp_path, monkeypatch):
    for name in ("PULSAURORA_STREAM0", "PULSAURORA_OUT"):
        monkeypatch.setenv(name, "")  # so that what the script sets is taken back afterwards
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(main, "run", lambda arguments: asked.append((arguments, dict(os.environ))) or 0)
    spec = {"__name__": "tried"}
    exec(compile(SCRIPTS[1].read_text(), "all_tasks.py", "exec"), spec)
    assert spec["main"](["2014-03-10", "2014-03-11"]) == 0
    ((arguments, environment),) = asked
    assert arguments == ["classify", "2014-03-10", "2014-03-11"]
    assert (environment["PULSAURORA_STREAM0"], environment["PULSAURORA_OUT"]) == ("/stream0", ".")


def test_the_demo_leaves_labels_and_a_picture(tmp_path, embedded, capsys, monkeypatch):
    from pulsaurora.cli import demo

    script = (("clear_dark", 1), ("arc_quiet", 1), ("pulsating_patchy", 1), ("overcast", 1))
    monkeypatch.setattr(demo, "SCRIPT", script)
    monkeypatch.setattr(demo, "N_MINUTES", 4)
    assert main.run(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "macro F1" in shown and "pulsating" in shown
    figures = tmp_path / "reports/figures"
    (labels,) = figures.rglob("*_classifications.txt")
    (picture,) = figures.rglob("*_keogram.png")
    assert str(labels.relative_to(tmp_path)) in shown and str(picture.relative_to(tmp_path)) in shown
    table = read_classifications(labels)
    assert 75 <= len(table) <= 80
    assert table["time"].dt.date.unique().tolist() == [datetime.date(2014, 3, 2)]
    assert picture.stat().st_size > 10_000


def test_the_training_script_names_its_usual_folders(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(main, "run", lambda arguments: asked.append(arguments) or 0)
    path, spec = ROOT / "scripts/train_model.py", {"__name__": "tried", "__doc__": "how it is used"}
    exec(compile(path.read_text(), str(path), "exec"), spec)
    assert spec["main"]([]) == spec["main"](["--out=o.onnx", "--labels", "a.xlsx", "--seed", "1"]) == 0
    assert asked == [
        ["train", "--labels=data/labels/themis", "--out=data/models/mine.onnx"],
        ["train", "--out=o.onnx", "--labels", "a.xlsx", "--seed", "1"],
    ]
    assert spec["main"](["--help"]) == 0 and "scripts/train_model.py" in capsys.readouterr().out
    assert len(path.read_text().split("\n")) < 60


def test_the_help_of_training_tells_how_many_sites_are_usual(capsys):
    from pulsaurora.classification import training

    assert main.run(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"({training.N_SITES})" in shown and f"({training.MINUTES_A_SITE})" in shown


def test_the_embedded_model_is_of_as_many_sites_as_training_takes():
    from pulsaurora.classification import training

    card = (ROOT / "pulsaurora/models/features.md").read_text()
    assert f"simulated skies only: {training.N_SITES} sites" in card


def test_training_says_what_it_needs(tmp_path, embedded, capsys, monkeypatch):
    assert main.run(["train", "--out", "m.onnx"]) == 2
    assert "say what to train on: --simulated" in capsys.readouterr().err
    from pulsaurora.classification import training

    def without_sklearn(*arguments, **known):
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn.ensemble")

    monkeypatch.setattr(training, "train_simulated", without_sklearn)
    assert main.run(["train", "--simulated", "--out", "m.onnx"]) == 2
    assert "pip install 'pulsaurora[train]'" in capsys.readouterr().err

    def trained(out, *, seed, workers, progress, n_sites):
        progress(1, n_sites)
        return type("Trained", (), {"scores": {"macro_f1": 0.9}})()

    monkeypatch.setattr(training, "train_simulated", trained)
    assert main.run(["train", "--simulated", "--out", "m.onnx", "--n-sites", "32"]) == 0
    assert capsys.readouterr().out == "m.onnx: macro_f1 0.9\n"
