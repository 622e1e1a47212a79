"""What the download scripts do: fetch the nights that workbooks name, then make day files of what came.

Each step is a command of its own, so that it logs, resumes and tells its problems as that command does. What
one night lacks keeps no other back; only wrong usage, a failure or Ctrl-C ends a script early.
"""

import argparse
import sys
from pathlib import Path

from pulsaurora.cli.main import DONE, DONE_WITH_PROBLEMS, run


def fetch_labelled_nights(archive, arguments, labels, out, layout="stream0"):
    """Run `download` and `pack` for the nights of some workbooks.

    Parameters
    ----------
    archive : str
        `themis` or `pfrr`.
    arguments : list of str
        Of the script. What is not understood here is for `pulsaurora download`.
    labels, out : str
        Folder of workbooks and folder for what is fetched, unless the arguments say otherwise.
    layout : str
        Of THEMIS nights: with `training` skymaps go beside the hours, else into `skymaps` beside OUT.

    Returns
    -------
    int
        Exit status: the gravest of the steps'.
    """
    given, others = _parser(out).parse_known_args(arguments)
    nights = [f"--labels={book}" for book in given.labels or ([] if given.nights else [labels])]
    nights += [f"--{name}={value}" for name in ("nights", "sites") if (value := getattr(given, name))]
    filters = [f"--wavelengths={given.wavelengths}"] if given.wavelengths else []
    dry_run = ["--dry-run"] if given.dry_run else []
    base = [f"--base={given.base}"] if given.base else []

    source, laid_out = "--raw", []
    if archive == "themis":
        source, laid_out = "--stream0", [f"--layout={layout}"]
    steps = [
        ["download", archive, *nights, *filters, f"--out={given.out}", *base, *laid_out, *dry_run, *others]
    ]
    if archive == "themis" and given.base and not given.skymap_base:
        print("no skymaps are fetched: name their place with --skymap-base", file=sys.stderr)
    elif archive == "themis":
        maps = given.out if layout == "training" else Path(given.out).parent / "skymaps"
        base = [f"--base={given.skymap_base}"] if given.skymap_base else []
        steps += [["download", "skymap", *nights, f"--out={maps}", *base, *laid_out, *dry_run, *others]]
    if not given.dry_run and not given.no_pack:
        raw16 = ["--raw16"] if given.raw16 else []
        steps += [
            ["pack", archive, *nights, *filters, f"{source}={given.out}", f"--out={given.dayfiles}", *raw16]
        ]
    status = DONE
    for step in steps:
        now = run(step)
        if now not in (DONE, DONE_WITH_PROBLEMS):
            return now
        status = max(status, now)
    return status


def _parser(out):
    # Help is the script's own page.
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, usage="see --help")
    parser.add_argument("--labels", action="append")
    for name in ("nights", "sites", "wavelengths", "base", "skymap-base"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--out", default=out)
    parser.add_argument("--dayfiles", default="data/dayfiles")
    for name in ("raw16", "no-pack", "dry-run"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser
