"""Learn a refinement from human labels, or from simulated nights.

    python -m pulsaurora.cli.train_refinement --labels WORKBOOK --classifications DIR --out MODEL
    python -m pulsaurora.cli.train_refinement --truth DIR --classifications DIR --out MODEL \
        --evidence probabilities

The second learns from nights of `pulsaurora simulate`, for a model whose files tell every probability.
"""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

from pulsaurora.archive.labels import read_labels
from pulsaurora.classification.assessment import assess
from pulsaurora.classification.refine_model import write_model
from pulsaurora.classification.refine_training import figures_of_nights, train_refinement
from pulsaurora.classification.truth import judge_nights, simulated_nights
from pulsaurora.views.assessment import write_assessment


def main(arguments=None):
    """Train from the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="train_refinement", description="Learn a refinement from human labels."
    )
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument("--labels", action="append", type=Path, metavar="WORKBOOK|CSV")
    known.add_argument(
        "--truth", type=Path, metavar="DIR", help="truth of simulated nights, in place of labels"
    )
    parser.add_argument("--classifications", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument(
        "--evidence", choices=("class_confidence", "probabilities"), default="class_confidence"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="evaluation of the dates left out")
    given = parser.parse_args(arguments)
    problems = []
    if given.truth:
        nights = simulated_nights(given.truth, given.classifications, problems)
        about = "simulated skies only"
    else:
        nights = judge_nights(read_labels(*given.labels), given.classifications, problems)
        about = ", ".join(path.name for path in given.labels)

    def progress(done, total):
        print(f"{done} of {total} dates left out", file=sys.stderr, flush=True)

    content, card, judged = train_refinement(
        nights, given.evidence, about, progress=progress, by_site=not given.truth
    )
    before, left_out = figures_of_nights(nights), figures_of_nights(judged)
    print(SimpleNamespace(before=before, dates_left_out=left_out))
    if given.report:
        said = {"labels": about, "classification files": "as refined by models that know nothing of the date"}
        write_assessment(assess(judged), given.report, said, problems)
    if left_out["accuracy"] <= before["accuracy"]:
        refined, plain = left_out["accuracy"], before["accuracy"]
        print(
            f"{given.out}: not written: with dates left out, refined labels are right for {refined:.2f} of "
            f"the frames and the labels themselves for {plain:.2f}",
            file=sys.stderr,
        )
        return 1
    write_model(given.out, content, card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
