"""A short run of the driver that spoils files of every format; `make fuzz` is the long one."""

import sys

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("limits of memory and time are set as on Linux", allow_module_level=True)
import fuzz
from fuzzformats import FORMATS

from pulsaurora.archive import tables
from pulsaurora.imaging import themis

N_INPUTS = 25  # of each format


def test_spoiled_files_of_every_format_are_refused_or_saved(tmp_path):
    total = fuzz.fuzz(",".join(FORMATS), 0, 300, N_INPUTS * len(FORMATS), tmp_path)
    assert total["findings"] == []
    assert total["tried"] == N_INPUTS * len(FORMATS)
    assert total["tried"] // 10 < total["refused"] < total["tried"]


class TestWhatTheDriverFinds:
    """In this process and with faults of its own: it must not be blind."""

    @pytest.fixture(autouse=True)
    def no_limits(self, monkeypatch):
        monkeypatch.setattr(fuzz.resource, "setrlimit", lambda *_: None)
        monkeypatch.setattr(fuzz.warnings, "simplefilter", lambda *_: None)

    def drive(self, name, folder):
        return [said for _, said in fuzz.drive(name, 0, 0, 60, 12, folder)["findings"]]

    def test_an_exception_of_another_kind(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tables, "_parse_rows", lambda rows: 1 / 0)
        found = self.drive("text", tmp_path)
        assert found and all(said.startswith("ZeroDivisionError") for said in found)
        assert len(list((tmp_path / "findings").iterdir())) == len(found)

    def test_a_frame_that_is_not_in_the_file(self, tmp_path, monkeypatch):
        whole = themis._pgm.fill_pixels

        def spoil(data, starts, images):
            whole(data, starts, images)
            images[:, 9, 9] += 1

        monkeypatch.setattr(themis, "_pgm", Replaced(themis._pgm, fill_pixels=spoil))
        assert any("one that the file does not hold" in said for said in self.drive("pgm", tmp_path))

    def test_memory_beyond_the_limit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(fuzz, "PEAK_BYTES", -1)
        assert any(said.startswith("took ") for said in self.drive("bzip2", tmp_path))


class Replaced:
    """A module with some of its names replaced."""

    def __init__(self, module, **replaced):
        self.__dict__.update(vars(module) | replaced)


@pytest.mark.parametrize("end", ["hang", "crash"])
def test_a_child_that_does_not_come_back_is_told_and_the_next_goes_on(tmp_path, monkeypatch, end):
    """The third input hangs or crashes: it is named, and those after it are tried all the same."""
    program = tmp_path / "driver.py"
    harm = "time.sleep(60)" if end == "hang" else "os.kill(os.getpid(), 11)"
    program.write_text(
        "import os, sys, time\n"
        f"sys.path[:0] = {fuzz.sys.path[:2]!r}\n"
        "import fuzz, fuzzformats\n"
        "fuzz.SECONDS_AN_INPUT = 1\n"
        "class Text(fuzzformats.Texts):\n"
        "    n = 0\n"
        "    def write(self, rng):\n"
        "        self.seen = int(rng.bit_generator.seed_seq.entropy[1])\n"
        "        return super().write(rng)\n"
        f"    def read(self, path):\n        if self.seen == 2: {harm}\n"
        "fuzzformats.FORMATS['text'] = Text\n"
        "sys.exit(fuzz.main())\n"
    )
    monkeypatch.setattr(fuzz, "__file__", str(program))
    total = fuzz.fuzz("text", 0, 60, 5, tmp_path / "kept")
    assert total["findings"] == [(2, f"ended by {'SIGALRM' if end == 'hang' else 'SIGSEGV'}")]
    assert total["tried"] == 5 and len(list((tmp_path / "kept").iterdir())) == 1
