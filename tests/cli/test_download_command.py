"""`pulsaurora download` and the scripts that call it, against real servers on loopback."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import fitswriter
import pytest
import servers
import synthetic
from servedtree import a_night, files_in, workbook, write

import pulsaurora
from pulsaurora.archive.transfer.rsync import find_rsync
from pulsaurora.cli import log, main

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--pause", "0.02", "--retries", "2", "--timeout", "5")


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSAURORA_LOGS", str(tmp_path / "logs"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("PULSAURORA_STREAM0", "PULSAURORA_PFRR", "PULSAURORA_OUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    log.stop()


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def web(tree):
    archive = servers.WebArchive(tree)
    yield archive
    archive.close()


def download(*arguments):
    return main.run(["download", *map(str, arguments), *QUICK])


def test_table_of_what_came_was_there_and_failed(web, tree, tmp_path, capfd):
    frames = a_night(tree)
    a_night(tree, "rank", "themis12", n_minutes=1)
    out = tmp_path / "out"
    name = Path(frames[2]).name
    web.faults[name] = ["home*"]
    asked = ("themis", "2014-03-09", "2014-03-11", "--sites", "gill,rank", "--out", out, "--base", web.base)
    assert download(*asked) == 3
    said, complained = capfd.readouterr()
    assert [line.split()[:4] for line in said.splitlines()[:3]] == [
        ["night", "came", "there", "failed"],
        ["gill/2014-03-10", "5", "0", "1"],
        ["rank/2014-03-10", "2", "0", "0"],
    ]
    assert "7 came, 0 were there, 1 failed" in said
    assert f"{out / frames[2]}: holds a web page, expected a gzip file" in complained
    assert f'{out / frames[2]},"holds a web page, expected' in (out / "download_problems.csv").read_text()
    assert "holds a web page" in next((tmp_path / "logs").iterdir()).read_text()
    web.faults.clear()
    assert download(*asked) == 0
    said, _ = capfd.readouterr()
    assert "1 came, 7 were there, 0 failed" in said
    assert not (out / "download_problems.csv").exists()
    assert download("themis", "2013-03-09", "2013-03-11", "--out", out, "--base", web.base) == 0
    assert capfd.readouterr().out == "nothing of these nights was found\n"


def test_dry_run_says_files_and_bytes(web, tree, tmp_path, capfd):
    frames = a_night(tree, n_minutes=1)
    asked = ("themis", "--nights", "gill/2014-03-10", "--out", tmp_path / "out", "--base", web.base)
    assert download(*asked, "--dry-run") == 0
    said = capfd.readouterr().out
    sizes = [(tree / path).stat().st_size for path in frames]
    assert said.splitlines() == [
        *(f"{size:>12} {tmp_path / 'out' / path}" for size, path in zip(sizes, frames, strict=True)),
        f"2 files, {sum(sizes)} bytes would come; 0 are there",
    ]
    assert not (tmp_path / "out").exists()


def test_by_workbook_and_what_a_workbook_must_not_name(web, tree, tmp_path, capfd):
    frames = a_night(tree, n_minutes=1)
    book = workbook(tmp_path / "labels/a.xlsx", [("2014-03-10", "gill")])
    assert download("themis", "--labels", book, "--out", tmp_path / "out", "--base", web.base) == 0
    assert sorted(files_in(tmp_path / "out")) == frames
    n_asked = len(web.log)
    for site in ("../../etc", "gi;l", "-e sh", "gill/..", "g ll"):
        book = workbook(tmp_path / "labels/bad.xlsx", [("2014-03-10", site)])
        capfd.readouterr()
        assert download("themis", "--labels", book, "--out", tmp_path / "out", "--base", web.base) == 3
        assert re.split("[; ]", site)[0] in capfd.readouterr().err
    assert len(web.log) == n_asked
    (tmp_path / "labels/broken.xlsx").write_bytes(b"PK no workbook")
    assert (
        download("themis", "--labels", tmp_path / "labels", "--out", tmp_path / "out", "--base", web.base)
        == 3
    )
    said, complained = capfd.readouterr()
    assert "0 came, 2 were there, 0 failed" in said
    assert "broken.xlsx" in complained
    assert download("themis", "--labels", tmp_path / "labels/broken.xlsx", "--base", web.base) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("themis",),
        ("themis", "2014-03-10"),
        ("themis", "2014-03-10", "2014-03-09"),
        ("themis", "2014-03-10", "2014-03-10", "--nights", "gill/2014-03-10"),
        ("themis", "--nights", "gill2014-03-10"),
        ("themis", "--nights", "../x/2014-03-10"),
        ("themis", "--nights", ""),
        ("themis", "--nights", "gill/2014-03-10", "--sites", "rank"),
        ("themis", "--nights", "gill/2014-03-10", "--base", "file:///etc/"),
        ("themis", "--nights", "gill/2014-03-10", "--transport", "gopher"),
        ("themis", "--nights", "gill/2014-03-10", "--transport", "ftp"),
        ("themis", "--nights", "gill/2014-03-10", "--layout", "flat"),
        ("themis", "2014-03-10", "2014-03-10", "--sites", "../a"),
        ("skymap", "2014-03-10", "2014-03-10"),
        ("pfrr", "--nights", "2015-10-32"),
        ("pfrr", "--nights", "2015-10-07", "--wavelengths", "557"),
        ("pfrr", "--nights", "2015-10-07", "--connections", "26"),
        ("pfrr", "--nights", "2015-10-07", "--transport", "rsync"),
        ("everything",),
        ("themis", "--labels", "."),
    ],
)
def test_wrong_usage(arguments, capfd):
    assert download(*arguments) == 2
    said, complained = capfd.readouterr()
    assert not said
    assert complained.startswith("pulsaurora: ")
    assert not Path("data").exists()


def test_skymap_and_pfrr_commands(web, tree, tmp_path, capfd):
    write(tree, "gako/gako_20110305/themis_skymap_gako_20110305-+_v01.sav")
    write(tree, "2015/20151007/PKR_DASC_0558_20151007_082351.743.FITS")
    asked = ("--out", tmp_path / "out", "--base", web.base)
    assert download("skymap", "--nights", "gako/2009-01-01", *asked) == 0
    assert "every skymap is later; the first, of 2011-03-05, is taken" in capfd.readouterr().err
    assert download("pfrr", "--nights", "pfrr/2015-10-07", "--wavelengths", "558", *asked) == 0
    assert download("pfrr", "2015-10-06", "2015-10-08", *asked) == 0
    assert sorted(files_in(tmp_path / "out")) == [
        "2015-10-07-558/PKR_DASC_0558_20151007_082351.743.FITS",
        "gako/gako_20110305/themis_skymap_gako_20110305-+_v01.sav",
    ]


def test_progress_on_a_terminal(web, tree, tmp_path):
    pty = pytest.importorskip("pty")
    a_night(tree)
    web.pause_s = 0.25
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "pulsaurora", "download", "themis", "--nights", "gill/2014-03-10"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "TERM": "xterm"}
    process = subprocess.Popen(
        [*command, "--base", web.base, "--out", tmp_path / "out"], env=environment, stdout=subprocess.PIPE,
        stderr=inner,
    )  # fmt: skip
    os.close(inner)
    shown = b""
    while True:
        try:
            piece = os.read(outer, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(outer)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    # And it stays, although each file makes the guess of all bytes better.
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "fetching themis" in text
    assert re.search(r"kB +[\d.]+ [kM]?B/s +\d:\d\d:\d\d", text.split("fetching themis")[-1]), text
    assert b"6 came" in said


def test_without_what_only_posix_has(web, tree, tmp_path):
    """As on Windows: neither rsync nor the modules of POSIX, and a lock that is not flock."""
    frames = a_night(tree, n_minutes=1)
    script = """
import importlib, pkgutil, subprocess, sys, types  # subprocess looks for msvcrt itself
for name in ("fcntl", "grp", "pwd", "pty", "resource", "termios", "tty"):
    sys.modules[name] = None
locked = []
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda *given: locked.append(given[1:]))
import pulsaurora
for module in pkgutil.walk_packages(pulsaurora.__path__, "pulsaurora."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from pulsaurora.archive import download
assert download.choose_base("themis").scheme == "https"
from pulsaurora.cli.main import run
status = run(["download", "themis", *sys.argv[1:]])
assert locked and set(locked) == {(2, 1)}, locked
sys.exit(status)
"""
    command = [sys.executable, "-W", "error", "-c", script, "--nights", "gill/2014-03-10", "--base", web.base]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": str(tmp_path)}
    done = subprocess.run(
        [*command, "--out", "out"], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert sorted(files_in(tmp_path / "out")) == frames


def run_script(name, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments), *QUICK])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts" / name), run_name="__main__")
    return ended.value.code


def minutes(tree, *names):
    """Minute files that can be read, as the archive lays them out."""
    for start, site, imager in names:
        path = synthetic.minute_path(tree, start, site, imager)
        times = synthetic.frame_times(3, f"{start}:00.5")
        synthetic.write_minute(path, synthetic.pixels(), times, site=site, imager=imager)


def test_scripts_fetch_and_pack_what_workbooks_name(web, tree, tmp_path, monkeypatch, capfd):
    minutes(tree, ("2014-03-10T06:00", "gill", "themis19"), ("2014-03-10T06:01", "gill", "themis19"))
    frames = sorted(files_in(tree))
    write(tree, "skymaps/gill/gill_20110305/themis_skymap_gill_20110305-+_v01.sav")
    # A night that fails first, and one that is there.
    book = tmp_path / "data/labels/themis/a.xlsx"
    workbook(book, [("2014-03-09", "atha"), ("2014-03-10", "gill")])
    bases = ["--base", web.base, "--skymap-base", f"{web.base}skymaps/"]
    assert run_script("stream0_download_final.py", bases, monkeypatch) == 3
    assert set(files_in("data/stream0")) == {*frames, "download_problems.csv"}
    skymap = "gill/gill_20110305/themis_skymap_gill_20110305-+_v01.sav"
    assert set(files_in("data/skymaps")) == {skymap, "skymap_problems.csv"}
    day = "all-images-2014-03-10-gill.h5"
    assert set(files_in("data/dayfiles")) == {day, "problems.csv"}
    told = Path("data/dayfiles/problems.csv").read_text()
    assert "2014/03/09/atha_*" in told and "done without" not in told
    with pulsaurora.read_dayfile(f"data/dayfiles/{day}") as made:
        assert len(made) == 6 and not made.has_raw16
    logs = {re.sub(r"\d+", "", path.name) for path in (tmp_path / "logs").iterdir()}
    assert {name.strip("_.log") for name in logs} == {"download_themis", "download_skymap", "pack_themis"}

    # Again, for training: laid out by site, and of one site only; raw frames kept.
    arguments = [*bases, "--sites", "gill", "--dayfiles", "d", "--raw16"]
    capfd.readouterr()
    assert run_script("download-themis-training-data.py", arguments, monkeypatch) == 3  # that skymap is none
    assert "without a skymap" in Path("d/problems.csv").read_text()
    assert sorted(files_in("data/training")) == [
        f"gill/2014-03-10/{Path(skymap).name}",
        *(f"gill/2014-03-10/{path.split('/', 4)[4]}" for path in frames),
    ]
    with pulsaurora.read_dayfile(f"d/{day}") as made:
        assert made.has_raw16
    # What failed of frames is not forgotten when skymaps go into the same tree and do not fail.
    arguments = ["--base", web.base, "--out", "t", "--no-pack", "--skymap-base", f"{web.base}skymaps/"]
    workbook(book, [("2014-03-09", "gill"), ("2014-03-10", "gill")])
    assert run_script("download-themis-training-data.py", arguments, monkeypatch) == 3
    assert "gill/2014-03-09" in Path("t/download_problems.csv").read_text()


def test_scripts_stop_where_going_on_is_of_no_use(web, tree, tmp_path, monkeypatch, capfd):
    minutes(tree, ("2014-03-10T06:00", "gill", "themis19"))
    named = ["--nights", "gill/2014-03-10", "--base", web.base]
    assert run_script("stream0_download_final.py", [*named, "--dry-run"], monkeypatch) == 0
    said, complained = capfd.readouterr()
    assert "1 files, " in said and "name their place with --skymap-base" in complained
    assert not Path("data").exists()
    assert run_script("stream0_download_final.py", [*named, "--transport", "gopher"], monkeypatch) == 2
    assert run_script("stream0_download_final.py", ["--base", web.base], monkeypatch) == 1  # no workbooks
    assert "data/labels/themis" in capfd.readouterr().err
    assert not Path("data").exists()


def test_the_script_for_pfrr(web, tree, tmp_path, monkeypatch):
    fitswriter.write(tree / "2016/20161006", "082351.743", day="20161006")
    (tree / "2016/20161006" / fitswriter.name_of("082404.243", day="20161006")).touch()
    book = tmp_path / "data/labels/pfrr/pfrr.xlsx"
    workbook(book, [("2016-10-05", "pfrr"), ("2016-10-06", "pfrr")])
    shutil.copy(book, book.with_name("~$pfrr.xlsx"))
    arguments = ["--base", web.base, "--wavelengths=558"]
    assert run_script("download-pfrr-training-data.py", arguments, monkeypatch) == 3
    assert "2016-10-06-558/PKR_DASC_0558_20161006_082351.743.FITS" in files_in("data/pfrr")
    with pulsaurora.read_dayfile("data/dayfiles/all-images-2016-10-06-558.h5") as made:
        assert len(made) == 1
    assert "2016-10-05" in Path("data/dayfiles/problems.csv").read_text()


@pytest.mark.parametrize("name", ["stream0_download_final", "download-themis-training-data",
                                  "download-pfrr-training-data"])  # fmt: skip
def test_scripts_are_a_page(name, monkeypatch, capfd):
    text = (ROOT / f"scripts/{name}.py").read_text()
    assert text.count("\n") < 60
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / f"scripts/{name}.py"), run_name="__main__")
    assert ended.value.code == 0 and f"python scripts/{name}.py" in capfd.readouterr().out


@pytest.mark.parametrize("transport", ["http", "ftp", "rsync"])
def test_the_real_night_by_workbook(transport, shared_data, tmp_path):
    if transport == "rsync" and find_rsync() is None:
        pytest.skip("rsync is not installed")
    served = shared_data / "stream0"
    archive = {
        "http": lambda: servers.WebArchive(served),
        "ftp": lambda: servers.FtpArchive(served),
        "rsync": lambda: servers.RsyncArchive(served, tmp_path / "rsyncd"),
    }[transport]()
    try:
        book = workbook(tmp_path / "a.xlsx", [("20140310", "gill")])
        out = tmp_path / "out"
        asked = ("themis", "--labels", book, "--out", out, "--base", archive.base, "--transport", transport)
        assert download(*asked) == 0
        assert files_in(out) == files_in(served)
        n_sent = len([one for one in archive.log if one.n_bytes])
        assert download(*asked) == 0
        assert len([one for one in archive.log if one.n_bytes]) == n_sent
    finally:
        archive.close()
