"""`pulsaurora recovery`: how well pulsating patches are found, by adding known ones and looking for them."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable
from pulsaurora.cli import log


def command(
    stream0: Annotated[
        Path | None,
        typer.Option(
            "--stream0",
            metavar="DIR",
            help="Real frames to add patches to; simulated overcast moonlit ones when not given.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the table and the picture.")
    ] = Path("reports"),
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Times that four patches are added, for each brightness.")
    ] = 25,
    seed: Annotated[int, typer.Option("--seed", help="Draws everything.")] = 0,
):
    """Measure how well pulsating patches are found.

    Adds patches of known place, size, brightness, on-time and period to frames and looks for them again;
    counts what is found where nothing was added, in those frames, in longer stretches resampled from them and
    in simulated skies. Writes OUT/recovery.md, OUT/recovery.csv (one row a patch added) and
    OUT/figures/recovery.png. Without --stream0 nothing real is needed.
    """
    refuse_unwritable(out)
    log.start("recovery")
    from pulsaurora.pulsation.recovery_report import measure_recovery, write_recovery
    from pulsaurora.views.recovery import draw_recovery, write_figure

    with log.progress("adding and finding", total=1.0) as advance:
        result = measure_recovery(stream0, trials, seed, advance)
    for path in write_recovery(result, out):
        typer.echo(path)
    picture = out / "figures" / "recovery.png"
    write_figure(draw_recovery(result), picture)
    typer.echo(picture)
    typer.echo("\n".join(result.summary()))
    for problem in result.problems:
        typer.echo(problem, err=True)
    return 3 if result.problems else 0
