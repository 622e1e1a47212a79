"""Train a model on every THEMIS night that the label workbooks name.

    python scripts/train_model.py [--labels WORKBOOK_OR_FOLDER] [OPTION ...]

Reads the workbooks in data/labels/themis and the frames in data/stream0, and writes data/models/mine.onnx
with its card (mine.md) beside it, unless --labels, --stream0 (or PULSAURORA_STREAM0) or --dayfiles, and
--out name others. Whatever `pulsaurora train` takes may follow, such as --seed 1; docs/training.md says what
is done.

Features of nights are kept in data/features and not computed again. Exit status: 0 all done; 3 done, but
some nights or files were not there or could not be read (see data/features/problems.csv); 2 wrong usage, or
too few nights; 1 failed.
"""

import sys


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    try:
        from pulsaurora.cli.main import run
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed in {sys.executable}; see the README", file=sys.stderr)
        return 1
    named = {argument.partition("=")[0] for argument in arguments}
    usual = {"--labels": "data/labels/themis", "--out": "data/models/mine.onnx"}
    usual = [f"{name}={value}" for name, value in usual.items() if name not in named]
    return run(["train", *usual, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
