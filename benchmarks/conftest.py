"""What the benchmarks share: nights of repeated minutes, the peers, the table at the end."""

import pytest
from nights import real_minutes, repeat, simulated_minutes
from ratios import Beside, keep, show, this_machine, write_readme

WORKERS = 2
N_MINUTES = 60
_rows, _known = [], {}


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep this run's figures to compare later ones with")


@pytest.fixture(scope="session")
def minutes(tmp_path_factory):
    """Six minute files: the real ones where they are at hand, else simulated ones."""
    real = real_minutes()
    _known["frames"] = "real" if real else "simulated"
    return real or simulated_minutes(tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="session")
def stream0(minutes, tmp_path_factory):
    """A stream0 tree of one night of 1,200 frames, from 06:00 on."""
    root = tmp_path_factory.mktemp("stream0")
    repeat(minutes, root, N_MINUTES, hour=6)
    return root


@pytest.fixture(scope="session")
def paths(stream0):
    """Its files, in time order."""
    return sorted(map(str, stream0.rglob("*_full.pgm*")))


@pytest.fixture(scope="session")
def frames(paths):
    """Its frames."""
    from pulsaurora import read_frames

    return read_frames(paths)


@pytest.fixture(scope="session")
def themis_readfile():
    return pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile needs numpy < 2")


@pytest.fixture
def beside(request):
    """Times ours and its peers'; pytest-benchmark is asked for when used, for a test may skip before."""
    _known.setdefault("machine", this_machine())
    return Beside(lambda: request.getfixturevalue("benchmark"), _rows)


@pytest.fixture(scope="session")
def alone():
    """Notes figures that no peer stands beside."""
    _known.setdefault("machine", this_machine())
    return Beside(None, _rows)


def pytest_terminal_summary(terminalreporter, config):
    if not _rows:
        return
    machine, frames = _known["machine"], _known.get("frames", "real")
    show(_rows, machine, frames)
    if config.getoption("--keep"):
        write_readme(keep(_rows, machine, frames), machine, frames)
        terminalreporter.write_line("kept in benchmarks/results.json and benchmarks/README.md")
