"""`pulsaurora classify`: label every frame of the nights asked for."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli.options import End, Out, Overwrite, Sites, Start, Stream0, Workers


def command(
    start: Start,
    end: End,
    stream0: Stream0 = Path("data/stream0"),
    out: Out = Path("data/classifications"),
    sites: Sites = None,
    workers: Workers = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="FILE", help="ONNX model; the embedded one when not given."),
    ] = None,
    overwrite: Overwrite = False,
):
    """Label every frame of every night from START to END.

    Writes OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_classifications.txt and a Parquet table of the same stem with
    all probabilities and features. Nights already done with the same files, model and version are left as
    they are. What could not be read is listed in OUT/problems.csv.
    """
    raise NotImplementedError
