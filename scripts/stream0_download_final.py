"""Fetch every THEMIS night that the label workbooks name, as the archive lays them out, and pack them.

    python scripts/stream0_download_final.py [--labels WORKBOOK_OR_FOLDER] [OPTION ...]

Reads the workbooks in data/labels/themis, writes data/stream0/YYYY/MM/DD/SITE_IMAGER/utHH/ with skymaps in
data/skymaps, and a day file of each night into data/dayfiles, unless --labels, --out (or PULSAURORA_STREAM0)
and --dayfiles name others. --raw16 keeps raw frames in the day files, --no-pack makes none, --nights
gill/2020-02-18,... takes the place of workbooks; --base and --skymap-base are where each tree begins on a
server. Whatever `pulsaurora download themis` and `skymap` both take may follow, such as --sites gill,rank,
--transport https or --dry-run.

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
    out = os.environ.get("PULSAURORA_STREAM0", "data/stream0")
    return fetch_labelled_nights("themis", arguments, "data/labels/themis", out)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
