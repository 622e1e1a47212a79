"""Fetch the Poker Flat (PFRR) images of every date that the label workbooks name.

    python scripts/download-pfrr-training-data.py [--labels WORKBOOK_OR_FOLDER] [OPTION ...]

Reads the workbooks in data/labels/pfrr and writes data/pfrr/YYYY-MM-DD-WWW/, unless --labels and --out (or
PULSAURORA_PFRR) name others. Whatever `pulsaurora download pfrr` takes may follow, such as
--wavelengths 558, --transport http or --dry-run. What is whole already is not fetched again, and a night that
fails does not keep the others back. Exit status: 0 all is there; 3 some of it is not (listed in the log under
logs/ and in OUT/download_problems.csv); 2 wrong usage; 1 failed.
"""

import sys

LABELS = "data/labels/pfrr"


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    try:
        from pulsaurora.cli.main import run
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed in {sys.executable}; see the README", file=sys.stderr)
        return 1
    if not any(argument.split("=")[0] in ("--labels", "--nights") for argument in arguments):
        arguments = ["--labels", LABELS, *arguments]
    return run(["download", "pfrr", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
