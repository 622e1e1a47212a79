"""`pulsaurora demo`: a simulated half hour, classified and drawn."""

import time
from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable
from pulsaurora.cli import log

# One scene of each class; they fade into one another.
SCRIPT = (("clear_dark", 8), ("arc_quiet", 7), ("pulsating_patchy", 8), ("overcast", 7))
START, SITE = "2014-03-02T06:00", "gill"  # a day after new moon
N_MINUTES = sum(minutes for _, minutes in SCRIPT)


def command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the classification file and the keogram.")
    ] = Path("reports/figures"),
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Folder for the simulated files, some 80 MB.")
    ] = Path("data/demo"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same sky.")] = 4,
):
    """Simulate half an hour with all four classes, label it, and compare the labels with the truth.

    Leaves a classification file and a keogram with its ribbon of classes.
    """
    refuse_unwritable(out)
    refuse_unwritable(data)
    log.start("demo")
    import numpy as np

    from pulsaurora.archive.layout import find_nights
    from pulsaurora.archive.tables import read_classifications
    from pulsaurora.classification.batch import classify_nights
    from pulsaurora.classification.evaluation import score_labels
    from pulsaurora.simulation.night import simulate_minutes, write_stream0
    from pulsaurora.views.keogram import plot_night

    stream0 = data / f"seed-{seed}"
    minutes = []

    def simulated():
        with log.progress("simulating", total=N_MINUTES) as advance:
            for minute in simulate_minutes(seed, START, N_MINUTES, SITE, list(SCRIPT)):
                minutes.append((minute.times, minute.labels))
                yield minute
                advance(1)

    paths = write_stream0(stream0, simulated())
    times, truth = (np.concatenate([minute[part] for minute in minutes]) for part in (0, 1))
    typer.echo(f"{len(times)} frames simulated in {len(paths)} files under {stream0}")

    date = times[0].astype("datetime64[D]").item()
    began = time.perf_counter()
    result = classify_nights(stream0, out, date, date, overwrite=True)
    seconds = time.perf_counter() - began
    if result.n_failed or not result.nights:
        return 1
    typer.echo(f"classified in {seconds:.2f} s, {len(times) / seconds:.0f} frames a second")

    path = result.nights[0].path
    table = read_classifications(path.with_suffix(".parquet"))
    said = table["label"].cat.codes.to_numpy()[np.searchsorted(table["time"].to_numpy(), times)]
    _show(score_labels(truth, said))
    typer.echo(f"classification file: {path}")
    (night,), _ = find_nights(stream0, date, date)
    picture, _ = plot_night(night, out, out, stream0)
    typer.echo(f"keogram: {picture}")
    return 3 if result.n_problems else 0


def _show(scores):
    """Print how often each class was called what."""
    from rich.console import Console
    from rich.table import Table

    from pulsaurora.classes import CLASSES

    table = Table(title="frames: what was simulated (rows) and what was said (columns)")
    table.add_column("truth")
    for name in (*CLASSES, "recall"):
        table.add_column(name, justify="right")
    for name, counts, recall in zip(CLASSES, scores.confusion, scores.recall, strict=True):
        table.add_row(name, *map(str, counts), f"{recall:.2f}")
    table.add_section()
    table.add_row("precision", *(f"{value:.2f}" for value in scores.precision), "")
    Console().print(table)
    typer.echo(f"accuracy {scores.accuracy:.3f}, macro F1 {scores.macro_f1:.3f}")
