"""Fetch the THEMIS nights that the label workbooks name, with their skymaps, for labelling and training.

    python scripts/download-themis-training-data.py [--labels WORKBOOK_OR_FOLDER] [--out DIR] [OPTION ...]

Reads the workbooks in data/labels/themis, writes data/training/SITE/YYYY-MM-DD/utHH/ with the night's skymap
beside the hours, and a day file of each night into data/dayfiles, unless --labels, --out and --dayfiles name
others. --raw16 keeps raw frames in the day files, --no-pack makes none, --nights gill/2020-02-18,... stands
in for workbooks; --base and --skymap-base are where each tree begins on a server. Whatever `pulsaurora
download themis` and `skymap` both take may follow, such as --sites gill,rank, --transport https or --dry-run.

What is there already is not fetched or made again; a night that fails does not keep the others back. Exit
status: 0 all is there; 3 some of it is not (listed in the log under logs/, in OUT/download_problems.csv and
in problems.csv beside the day files); 2 wrong usage; 1 failed.
"""

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
    return fetch_labelled_nights("themis", arguments, "data/labels/themis", "data/training", "training")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
