"""Fetch the Poker Flat (PFRR) images of every date that the label workbooks name, and pack them.

    python scripts/download-pfrr-training-data.py [--labels WORKBOOK_OR_FOLDER] [OPTION ...]

Reads the workbooks in data/labels/pfrr, writes data/pfrr/YYYY-MM-DD-WWW/, and a day file of each date and
filter into data/dayfiles, unless --labels, --out (or PULSAURORA_PFRR) and --dayfiles name others. --raw16
keeps raw frames in the day files, --no-pack makes none, --nights 2015-10-07,... stands in for workbooks.
Whatever `pulsaurora download pfrr` takes may follow, such as --wavelengths 558, --transport http, --dry-run.

What is there already is not fetched or made again; a night that fails does not keep the others back. Exit
status: 0 all is there; 3 some of it is not (listed in the log under logs/, in OUT/download_problems.csv and
in problems.csv beside the day files); 2 wrong usage; 1 failed.
"""

import os
import sys


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    try:
        from pulsaurora.cli.labelled_nights import fetch_labelled_nights
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed in {sys.executable}; see the README", file=sys.stderr)
        return 1
    out = os.environ.get("PULSAURORA_PFRR", "data/pfrr")
    return fetch_labelled_nights("pfrr", arguments, "data/labels/pfrr", out)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
