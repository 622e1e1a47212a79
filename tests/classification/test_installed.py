"""A package that is installed for everyone, and several who use it at once: nothing is written into it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest
import synthetic
import tinymodel

ROOT = Path(__file__).resolve().parents[2]
USERS = (61234, 61235)
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can run as others")


@pytest.fixture
def installed():
    """A folder that everyone may read: `lib` with the package, root's and read-only, and `stream0`."""
    folder = Path(tempfile.mkdtemp(prefix="installed-"))
    ignored = shutil.ignore_patterns("__pycache__", "*.c")
    shutil.copytree(ROOT / "pulsaurora", folder / "lib/pulsaurora", ignore=ignored)
    tinymodel.save(tinymodel.features_proto(), folder / "tiny.onnx")
    path = synthetic.minute_path(folder / "stream0", "2014-03-10T06:00", suffix=".pgm")
    synthetic.write_minute(path, synthetic.pixels(20), synthetic.frame_times(20, "2014-03-10T06:00:00.05"))
    subprocess.run(["chmod", "-R", "a+rX,go-w,u-w", folder], check=True)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def start(installed):
    """Start Python as another user, who knows nothing but the installed package and a home."""
    found = [str(installed / "lib"), sysconfig.get_path("platlib"), sysconfig.get_path("purelib")]

    def call(python, user, home, *command, cwd="/"):
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(found)}
        return subprocess.Popen(
            [python, "-W", "error::RuntimeWarning", *map(str, command)],
            user=user, group=user, extra_groups=[], umask=0, cwd=cwd, text=True,
            env=environment | ({} if home is None else {"HOME": str(home)}),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    same = f"import sys, onnxruntime, pyarrow; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"):
        try:
            tried = call(python, USERS[0], "/nonexistent", "-c", same)
        except OSError:
            continue
        tried.communicate()
        if tried.returncode == 0:
            return lambda *arguments, **known: call(python, *arguments, **known)
    pytest.skip("other users may not run this Python, or not read what is installed for it")


def without_creation(path):
    return path.read_text().partition("\n")[2]


@pytest.mark.parametrize("home", ["none", "missing", "unwritable", "writable"])
def test_two_users_at_once_leave_a_read_only_install_as_it_is(installed, start, home):
    before = sorted(installed.rglob("*"))
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        os.chmod(folder, 0o777)
        at_work, homes = [], []
        for user in USERS:
            own = Path(folder, str(user))
            own.mkdir()
            os.chown(own, user, user)
            known = {"none": None, "missing": "/nonexistent", "unwritable": installed}
            homes.append(known.get(home, own / "home"))
            if home == "writable":
                homes[-1].mkdir()
                os.chown(homes[-1], user, user)
            command = ["-m", "pulsaurora", "classify", "2014-03-10", "2014-03-10", "--stream0"]
            command += [installed / "stream0", "--out", own / "out", "--model", installed / "tiny.onnx"]
            at_work.append(start(user, homes[-1], *command, cwd=own))
        ended = [(*process.communicate(timeout=120), process.returncode) for process in at_work]
        for said, warned, status in ended:
            assert status == 0 and "1 done" in said, warned
            assert "Warning" not in warned and "WARNING" not in warned
        written = [next(Path(folder, str(user), "out").rglob("*_classifications.txt")) for user in USERS]
        assert without_creation(written[0]) == without_creation(written[1])
        if home == "writable":
            assert not [path for one in homes for path in one.rglob("*") if path.is_file()]
    assert sorted(installed.rglob("*")) == before


def test_two_users_share_an_output_folder(installed, start):
    """With folders that both may write, each night is done once; else the second is told why not at once."""
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        os.chmod(folder, 0o777)
        command = ["-m", "pulsaurora", "--logs", Path(folder, "logs"), "classify", "2014-03-10", "2014-03-10"]
        command += ["--stream0", installed / "stream0", "--out", Path(folder, "out")]
        command += ["--model", installed / "tiny.onnx"]
        both = [start(user, "/nonexistent", *command) for user in USERS]
        ended = [(*process.communicate(timeout=120), process.returncode) for process in both]
        assert [status for *_, status in ended] == [0, 0], ended
        said = sorted(said.split(";")[0] for said, *_ in ended)
        assert said == ["nights: 1 done", "nights: 1 done already"]

        claims = Path(folder, "out/.batch/claims")
        claims.mkdir(parents=True)
        os.chown(claims.parent, USERS[0], USERS[0])
        again = start(USERS[1], "/nonexistent", *command)
        _, warned = again.communicate(timeout=120)
        assert again.returncode == 2 and "umask 002" in warned
        assert f"{claims.parent}: cannot be written" in warned
