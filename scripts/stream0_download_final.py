"""Fetch every THEMIS night that the label workbooks name, as the archive lays them out.

    python scripts/stream0_download_final.py [--labels WORKBOOK_OR_FOLDER] [OPTION ...]

Reads the workbooks in data/labels/themis and writes data/stream0/YYYY/MM/DD/SITE_IMAGER/utHH/, unless
--labels and --out (or PULSAURORA_STREAM0) name others. Whatever `pulsaurora download themis` takes may
follow, such as --sites gill,rank, --transport https or --dry-run. What is whole already is not fetched again,
and a night that fails does not keep the others back. Exit status: 0 all is there; 3 some of it is not (listed
in the log under logs/ and in OUT/download_problems.csv); 2 wrong usage; 1 failed.
"""

import sys

LABELS = "data/labels/themis"


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
    return run(["download", "themis", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
