"""The program: how fast it answers, what it returns, and how it says what went wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from pulsaurora import __version__
from pulsaurora.cli import log, main
from pulsaurora.problems import ContractError, UsageError

HEAVY = ("numpy", "pandas", "onnxruntime", "matplotlib", "pyarrow", "numba", "scipy", "astropy", "h5py")


ROOT = Path(__file__).resolve().parents[2]


def python(*arguments, **known):
    """A Python of its own that finds this checkout, installed or not."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        **known,
    )


def finish(process):
    with process:
        out, error = process.communicate(timeout=60)
    return process.returncode, out, error


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSAURORA_LOGS", str(tmp_path / "logs"))
    yield tmp_path / "logs"
    log.stop()


@pytest.fixture
def a_command(monkeypatch):
    """Put a command `try` in the table; what it does is set by the test."""
    module = type(sys)("tried")

    def command(number: int = 0):
        """Try something."""
        log.start("try")
        return module.act(number)

    module.command = command
    monkeypatch.setitem(sys.modules, "tried", module)
    monkeypatch.setitem(main.COMMANDS, "try", "tried")
    return module


def test_help_comes_at_once_and_imports_nothing_slow():
    elapsed = []
    for _ in range(6):  # the first one compiles
        began = time.perf_counter()
        status, out, error = finish(python("-m", "pulsaurora", "--help"))
        elapsed.append(time.perf_counter() - began)
    assert status == 0 and "classify" in out and error == ""
    # 0.4 s is promised (0.14 s measured); a machine busy with other things is given time.
    assert min(elapsed) < 2.0
    code = (
        "import sys\nfrom pulsaurora.cli.main import run\n"
        f"run(['--help'])\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert finish(python("-c", code))[1].rstrip().endswith("[]")


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert main.run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"pulsaurora {name}" in shown


def test_the_version_is_told(capsys):
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"pulsaurora {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify"], "Missing argument 'START'"),
        (["classify", "2014-03-10", "2014-03-11", "--colour", "red"], "No such option: --colour"),
        (["classify", "2014-03-10", "2014-03-11", "--workers", "0"], "--workers"),
        (["clasify"], "No such command 'clasify'"),
        (["classify", "10.3.2014", "2014-03-11"], "'10.3.2014' is not a date; write it as YYYY-MM-DD"),
        (["classify", "2014-02-30", "2014-03-11"], "'2014-02-30' is not a date"),
        (["classify", "2014-03-11", "2014-03-10"], "2014-03-10, is before the first, 2014-03-11"),
        (["classify", "2014-03-10", "2014-03-11", "--sites", ","], "--sites names no site"),
        (["classify", "2014-03-10", "2014-03-11", "--stream0", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, said, capsys, logs):
    assert main.run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("pulsaurora: ") and shown.err.count("\n") == 1
    assert said in shown.err
    assert not logs.exists()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UsageError("no such site"), 2, "pulsaurora: no such site\n"),
        (ContractError("m.onnx: is no\nmodel"), 1, "pulsaurora: m.onnx: is no model\n"),
        (OSError(28, "No space left on device", "x.txt"), 1, "[Errno 28] No space left on device: 'x.txt'"),
        (ZeroDivisionError("division by zero"), 1, "pulsaurora: ZeroDivisionError: division by zero"),
        (KeyboardInterrupt(), 130, "pulsaurora: interrupted\n"),
        (typer.Exit(3), 3, ""),
    ],
)
def test_failure_is_one_line_without_traceback(a_command, error, status, said, capsys, logs):
    def act(number):
        raise error

    a_command.act = act
    assert main.run(["try", "--debug"]) == status
    shown = capsys.readouterr()
    assert said in shown.err and "Traceback" not in shown.err + shown.out
    assert shown.err.count("\n") <= 1
    (path,) = logs.glob("*_try_*.log")
    if status == 1:
        assert "Traceback" in path.read_text()


def test_what_a_command_returns_is_the_status(a_command):
    a_command.act = lambda number: None if number == 0 else number
    assert [main.run(["try", "--number", str(number)]) for number in (0, 1, 3)] == [0, 1, 3]


def test_log_lines_go_to_a_new_file_and_to_a_plain_terminal(a_command, capsys, logs):
    import logging

    def act(number):
        logging.getLogger("pulsaurora.something").info("night %d done", number)
        with log.progress("working", total=1) as advance:
            advance(1.0)

    a_command.act = act
    for number in (1, 2):
        assert main.run(["try", "--number", str(number)]) == 0
    shown = capsys.readouterr().err.split("\n")
    assert [line[8:] for line in shown] == [" INFO night 1 done", " INFO night 2 done", ""]
    texts = [path.read_text() for path in sorted(logs.glob("*_try_*.log"))]
    assert "night 1 done" in texts[0] and "night 2 done" in texts[-1]


def test_thousands_of_warnings_are_in_the_log_file_only(a_command, capsys, logs):
    import logging

    def act(number):
        for index in range(1000):
            logging.getLogger("pulsaurora.x").warning("file %d is bad", index)
        logging.getLogger("pulsaurora.x").info("night done")

    a_command.act = act
    assert main.run(["try"]) == 0
    shown = capsys.readouterr().err.strip().split("\n")
    assert len(shown) == log.WARNINGS_SHOWN + 2 and shown[-1].endswith("night done")
    (path,) = logs.glob("*_try_*.log")
    assert path.read_text().count("is bad") == 1000


def test_a_log_folder_that_cannot_be_made_stops_nothing(a_command, capsys, tmp_path):
    (tmp_path / "file").touch()
    a_command.act = lambda number: None
    assert main.run(["--logs", str(tmp_path / "file/logs"), "try"]) == 0
    assert "no log file" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error(tmp_path):
    code = "import sys\nfrom pulsaurora.cli.main import run\nsys.exit(run(['--help']))"
    with python("-c", code) as process:
        process.stdout.close()
        error = process.stderr.read()
        process.wait(60)
    assert "Traceback" not in error


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a program can answer")
def test_sigterm_unwinds(tmp_path):
    code = (
        "import sys, time, types\nfrom pulsaurora.archive.files import whole_file\n"
        "from pulsaurora.cli import main\nmodule = types.ModuleType('tried')\n"
        "def command():\n"
        "    with whole_file('out.txt') as path:\n"
        "        path.write_text('half')\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(50)\n"
        "module.command = command\nsys.modules['tried'] = module\n"
        "main.COMMANDS['try'] = 'tried'\nsys.argv = ['pulsaurora', 'try']\nmain.main()"
    )
    work = tmp_path / "work"
    work.mkdir()
    with python("-c", code, cwd=work) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (143, "pulsaurora: terminated\n")
    assert os.listdir(work) == []


def test_the_terminal_shows_a_bar_and_warnings_above_it(monkeypatch, capsys):
    import logging

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    log.start("try")
    with log.progress("working", total=2) as advance:
        logging.getLogger("pulsaurora.x").info("not shown")
        logging.getLogger("pulsaurora.x").warning("a [bad] file")
        advance(1.0)
    shown = capsys.readouterr().err
    assert "a [bad] file" in shown and "not shown" not in shown and "working" in shown


def test_paths_in_the_environment_are_used(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PULSAURORA_STREAM0", str(tmp_path / "elsewhere"))
    assert main.run(["classify", "2014-03-10", "2014-03-10"]) == 2
    assert f"{Path(tmp_path, 'elsewhere')} is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", "2014-03-10", "2014-03-10", "--stream0", "."],
        ["report", "gill", "2014-03-10"],
        ["plot", "keogram", "gill", "2014-03-10", "--stream0", "."],
        ["plot", "events", "gill", "2014-03-10", "--events", "."],
        ["movie", "gill", "2014-03-10", "--stream0", "."],
        ["refine", "."],
        ["evaluate", "--labels", "none.xlsx", "--classifications", "."],
        ["simulate"],
        ["demo"],
        ["demo", "--out", "made"],
        ["recovery"],
        ["sensitivity"],
        ["compare-features", "--stream0", "."],
    ],
)
def test_an_out_that_cannot_be_written_is_told_first(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").touch()
    for place in ("afile", "afile/below"):
        option = "--data" if "--out" in arguments else "--out"
        out = [place] if arguments == ["simulate"] else [option, place]
        assert main.run([*arguments, *out]) == main.WRONG_USAGE
        shown = capsys.readouterr().err
        assert "afile" in shown and "cannot be written: " in shown


def test_train_tells_first_that_its_model_cannot_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").touch()
    assert main.run(["train", "--simulated", "--out", "afile/model.onnx"]) == main.WRONG_USAGE
    assert "afile: cannot be written: " in capsys.readouterr().err
    assert main.run(["train", "--simulated", "--out", "."]) == main.WRONG_USAGE
    assert "--out . is a folder; name the ONNX file" in capsys.readouterr().err


def test_sensitivity_tells_first_that_its_card_cannot_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").touch()
    assert main.run(["sensitivity", "--out", "made", "--card", "afile/card.md"]) == main.WRONG_USAGE
    assert "afile: cannot be written: " in capsys.readouterr().err
