"""An archive on loopback over each transport."""

import pytest
import servers

from pulsaurora.archive.transfer.rsync import find_rsync

PAUSES_S = (0.02, 0.04, 0.06)


@pytest.fixture
def quick():
    """Settings of a download that does not wait long."""
    return {"pauses_s": PAUSES_S, "timeout_s": 5.0}


@pytest.fixture
def tree(tmp_path):
    """The folder that the servers serve."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def web(tree):
    archive = servers.WebArchive(tree)
    yield archive
    archive.close()


@pytest.fixture
def ftp(tree):
    pytest.importorskip("pyftpdlib", reason="pyftpdlib is not installed")
    archive = servers.FtpArchive(tree)
    yield archive
    archive.close()


@pytest.fixture
def rsyncd(tree, tmp_path):
    if find_rsync() is None:
        pytest.skip("rsync is not installed")
    archive = servers.RsyncArchive(tree, tmp_path / "rsyncd")
    yield archive
    archive.close()


@pytest.fixture(params=["web", "ftp", "rsyncd"])
def server(request):
    """Each of the servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
