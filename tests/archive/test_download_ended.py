"""Downloads ended half way, by a kill or by the user, and started again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import servers
from servedtree import a_minute, files_in, workbook, write

from pulsaurora.archive.transfer.incoming import FOLDER

ROOT = Path(__file__).resolve().parents[2]
FOLDER_OF_HOUR = "2014/03/10/gill_themis19/ut06"
LONGEST_S = 180  # only what hangs reaches it, even where other work leaves this little of the machine

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture
def frames(tree):
    """An hour of six files as the server has it: the real one where it is at hand, else one like it."""
    real = ROOT.parent / "shared/data/stream0"
    if real.is_dir():
        shutil.copytree(real, tree, dirs_exist_ok=True)
    else:
        for minute in range(6):
            name = f"20140310_06{minute:02}_gill_themis19_full.pgm.gz"
            write(tree, f"{FOLDER_OF_HOUR}/{name}", a_minute(name, 2_140_000 + minute))
    return {path.name: path.read_bytes() for path in (tree / FOLDER_OF_HOUR).iterdir()}


@pytest.fixture
def slow(request, tree, tmp_path):
    """Start a server that takes some three seconds for the hour; a callable that makes it quick."""
    started = []

    def start(transport):
        if transport == "rsync":
            quick = request.getfixturevalue("rsyncd")  # skips where there is none
            started.append(servers.RsyncArchive(tree, tmp_path / "slow", 4000))
            return started[0], lambda: quick
        server = request.getfixturevalue(transport)
        server.pause_s = 0.015

        def hurry():
            server.pause_s = 0.0
            return server

        return server, hurry

    yield start
    for server in started:
        server.close()


def start_download(tmp_path, book, out, base):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "pulsaurora", "download", "themis", "--labels", book, "--out", out]
    return subprocess.Popen(
        [*command, "--base", base, "--connections", "2", "--pause", "0.1", "--retries", "8"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state(folder, frames):
    """Files that bear their names, and bytes under way of each of the others."""
    while True:
        try:
            here = {path.name for path in folder.glob("*_full*")}
            parts = {path.name: path.stat().st_size for path in (folder / FOLDER).glob("*_full*")}
        except FileNotFoundError:
            continue
        return here & set(frames), {name: parts[name] for name in frames.keys() & parts.keys()}


@pytest.mark.parametrize(
    ("transport", "how"),
    [("web", "KILL"), ("ftp", "KILL"), ("rsync", "KILL"), ("web", "INT"), ("ftp", "TERM"), ("rsync", "TERM")],
)
def test_ended_half_way_and_started_again(transport, how, frames, slow, tmp_path):
    book = workbook(tmp_path / "labels.xlsx", [("20140310", "gill")])
    out = tmp_path / "out"
    folder = out / FOLDER_OF_HOUR
    server, hurry = slow(transport)
    first = start_download(tmp_path, book, out, server.base)
    until = time.monotonic() + LONGEST_S
    while True:
        named, parts = state(folder, frames)
        n_whole = len(named) + sum(n_bytes == len(frames[name]) for name, n_bytes in parts.items())
        if n_whole >= 2 and any(0 < n_bytes < len(frames[name]) for name, n_bytes in parts.items()):
            break
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < until, (named, parts)
        time.sleep(0.01)
    first.send_signal(getattr(signal, f"SIG{how}"))
    said, complained = first.communicate(timeout=LONGEST_S)
    assert first.returncode == {"KILL": -9, "INT": 130, "TERM": 143}[how], complained
    if how != "KILL":
        assert "came" in said
    named, parts = state(folder, frames)
    assert len(named) < len(frames)
    for name in named:
        assert (folder / name).read_bytes() == frames[name]

    server = hurry()
    n_asked, since = len(server.log), time.monotonic()
    while time.monotonic() - since < 0.5:  # until the server has noticed
        time.sleep(0.02)
        if len(server.log) != n_asked:
            n_asked, since = len(server.log), time.monotonic()
    second = start_download(tmp_path, book, out, server.base)
    said, complained = second.communicate(timeout=LONGEST_S)
    assert second.returncode == 0, complained
    assert {Path(path).name: body for path, body in files_in(out).items()} == frames
    assert not list(out.rglob(FOLDER))
    sent = [asked for asked in server.log[n_asked:] if asked.name in frames and asked.n_bytes]
    assert not named & {asked.name for asked in sent}
    # What was held came not again, but for the little that shows that it is of the same file.
    missing = sum(len(body) for name, body in frames.items() if name not in named)
    assert sum(asked.n_bytes for asked in sent) < missing - sum(parts.values()) + 30_000
