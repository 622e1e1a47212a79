"""The `pulsaurora` command: finds the subcommand asked for, runs it, and says what went wrong.

A subcommand is one module of this folder that defines `command`, a function typer reads (or a `typer.Typer`
for a group of commands), and one line in COMMANDS. Only the module asked for is imported, and modules import
what is slow inside their functions, so that help comes at once.

What a command returns is the exit status: nothing or 0 when all was done, 3 when done although some input
could not be read. 2 is wrong usage, 1 is failure, 130 and 143 are Ctrl-C and SIGTERM.
"""

import importlib
import inspect
import logging
import os
import signal
import sys
from typing import Annotated

import typer

from pulsaurora import __version__
from pulsaurora.problems import PulsauroraError, UsageError

# Name -> module, in the order help lists them.
COMMANDS = {
    "demo": "pulsaurora.cli.demo",
    "simulate": "pulsaurora.cli.simulate",
    "download": "pulsaurora.cli.download",
    "pack": "pulsaurora.cli.pack",
    "classify": "pulsaurora.cli.classify",
    "events": "pulsaurora.cli.events",
    "status": "pulsaurora.cli.status",
    "refine": "pulsaurora.cli.refine",
    "labels": "pulsaurora.cli.labels",
    "evaluate": "pulsaurora.cli.evaluate",
    "compare-features": "pulsaurora.cli.compare_features",
    "plot": "pulsaurora.cli.plot",
    "report": "pulsaurora.cli.report",
    "movie": "pulsaurora.cli.movie",
    "train": "pulsaurora.cli.train",
    "recovery": "pulsaurora.cli.recovery",
    "sensitivity": "pulsaurora.cli.sensitivity",
}

DONE, FAILED, WRONG_USAGE, DONE_WITH_PROBLEMS = 0, 1, 2, 3
_INTERRUPTED, _TERMINATED = 130, 143

_log = logging.getLogger(__name__)


def _show_version(wanted: bool):
    if wanted:
        typer.echo(f"pulsaurora {__version__}")
        raise typer.Exit()


def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log details, and where an error arose, to the log file.")
    ] = False,
    logs: Annotated[
        str, typer.Option(envvar="PULSAURORA_LOGS", metavar="DIR", help="Folder for log files.")
    ] = "logs",
):
    """Find pulsating aurora in all-sky-imager archives.

    Exit status: 0 all done; 3 done, but some input could not be read (listed in the log and in a problems
    table); 2 wrong usage; 1 failed.
    """
    from pulsaurora.cli import log

    log.choose(folder=logs, debug=debug)


def build_app(arguments=()):
    """Return the typer application, with the one subcommand that `arguments` name, or with all of them."""
    app = typer.Typer(
        name="pulsaurora",
        callback=_common,
        help=_paragraphs(_common.__doc__),
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    asked = [name for name in COMMANDS if name in arguments]
    for name in asked or COMMANDS:
        command = importlib.import_module(COMMANDS[name]).command
        if isinstance(command, typer.Typer):
            for part in command.registered_commands:
                part.help = _paragraphs(part.callback.__doc__)
            app.add_typer(command, name=name)
        else:
            app.command(name, help=_paragraphs(command.__doc__))(command)
    return app


def _paragraphs(docstring):
    """Return the docstring with each paragraph on one line, for the terminal to wrap."""
    parts = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in parts)


def _complain(message):
    """Write one line to standard error."""
    from pulsaurora.cli import log

    log.finish_progress()
    print(f"pulsaurora: {' '.join(str(message).split())}", file=sys.stderr)


def _terminate(signum, frame):
    # SystemExit unwinds the stack, so that half-written files are removed on the way out; a batch system that
    # sends the signal to every process of a group, twice, does not cut that short.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(_TERMINATED)


def run(arguments):
    """Run one command line and return its exit status; never raises for what a user can cause."""
    arguments = list(arguments) or ["--help"]
    # Commands that open no log say once, here, what is wrong; without this logging would say it as well.
    logging.getLogger("pulsaurora").addHandler(logging.NullHandler())
    if "--debug" in arguments:  # taken wherever it stands
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        status = build_app(arguments)(arguments, prog_name="pulsaurora", standalone_mode=False)
        if status == _INTERRUPTED:  # as newer versions of typer tell of Ctrl-C
            _complain("interrupted")
        return DONE if status is None else int(status)
    except UsageError as error:
        _complain(error)
        return WRONG_USAGE
    except PulsauroraError as error:
        _log.debug("failed", exc_info=True)
        _log.error("%s", error, extra={"shown": True})
        _complain(error)
        return FAILED
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    except SystemExit as stopped:
        if stopped.code == _TERMINATED:
            _complain("terminated")
        raise
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        # typer's own complaints carry their text and status, under class names that changed between its
        # versions; everything else is a failure of ours or of the machine (disk full, no permission).
        if hasattr(error, "format_message"):
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else "pulsaurora"
            _complain(f"{error.format_message()} (see {path} --help)")
            return getattr(error, "exit_code", WRONG_USAGE)
        if type(error).__name__ == "Abort":
            _complain("interrupted")
            return _INTERRUPTED
        _log.debug("failed", exc_info=True)
        said = f"{type(error).__name__}: {error}" if not isinstance(error, OSError) else str(error)
        _log.error("%s", said, extra={"shown": True})
        _complain(f"{said} (run with --debug to log where it arose)")
        return FAILED


def main():
    """Entry point of the `pulsaurora` program."""
    signal.signal(signal.SIGTERM, _terminate)
    # Names of files may hold bytes that are no text, which standard error shows escaped and this would not.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
