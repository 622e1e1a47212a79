"""`pulsaurora evaluate`: how far classification files agree with human labels."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable


def command(
    labels: Annotated[
        list[Path],
        typer.Option(
            "--labels",
            metavar="WORKBOOK|CSV",
            help="Human labels: a workbook, or the CSV of `pulsaurora labels`. May be given several times.",
        ),
    ],
    classifications: Annotated[
        Path,
        typer.Option(
            "--classifications",
            envvar="PULSAURORA_OUT",
            metavar="DIR",
            help="Folder of classification files.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "reports"
    ),
):
    """Score classification files, ours or another program's, against human labels.

    Writes evaluation.md, evaluation.json, tables of nights and intervals, and pictures: by frame, by labelled
    interval and by night, with intervals from resampling whole nights.
    """
    from pulsaurora.archive.labels import read_labels, refuse_empty, unknown_codes
    from pulsaurora.classification.assessment import assess
    from pulsaurora.classification.truth import judge_nights
    from pulsaurora.problems import UsageError
    from pulsaurora.views.assessment import write_assessment

    if not classifications.exists():
        raise UsageError(f"--classifications {classifications}: there is no such folder")
    refuse_unwritable(out)
    rows, problems = [], []
    table = read_labels(*labels, problems=rows)
    unknown = unknown_codes(table)
    refused = [*(problem for problem in rows if problem.kind == "refused"), *unknown]
    refuse_empty(table, refused, labels)
    nights = judge_nights(table, classifications, problems)
    about = {
        "labels": ", ".join(path.name for path in labels),
        "classification files": f"{sum(len(night.paths) for night in nights)} in {classifications}",
    }
    try:
        assessment = assess(nights)
    except UsageError as error:
        for problem in [*refused, *problems]:
            typer.echo(f"pulsaurora: {problem}", err=True)
        doubt = f"; is {classifications} the folder of the labelled nights?" if len(table) else ""
        raise UsageError(f"{error}{doubt}") from None
    written = write_assessment(assessment, out, about, [*refused, *problems])
    figures = assessment.frames
    typer.echo(f"{assessment.n_frames:,} frames of {len(nights)} nights")
    typer.echo(f"accuracy {figures['accuracy']}")
    for score in ("precision", "recall", "f1"):
        typer.echo(f"pulsating {score} {figures[f'{score}_pulsating']}")
    typer.echo(f"calibration error {assessment.reliability.expected_calibration_error}")
    typer.echo(f"report: {written[0]}")
    for problem in unknown:
        typer.echo(problem, err=True)
    # What was put in order is no loss, nor that labels tell of nights that were not classified.
    lost = [
        p for p in problems if "put in order" not in p.reason and "no classification file" not in p.reason
    ]
    if len(refused) + len(lost):
        typer.echo(f"{len(refused) + len(lost)} problems, listed in {written[0]}", err=True)
    return 3 if refused or lost else 0
