"""`pulsaurora train`: make a model."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli import log
from pulsaurora.problems import UsageError


def command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="ONNX file; its card goes beside it.")],
    simulated: Annotated[bool, typer.Option("--simulated", help="Train on simulated skies.")] = False,
    n_sites: Annotated[int | None, typer.Option("--n-sites", min=12, help="Simulated sites (5000).")] = None,
    n_minutes: Annotated[
        int | None, typer.Option("--n-minutes", min=1, help="Minutes of sky at each (3).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same model.")] = 0,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; as many as cores when not given.")
    ] = None,
):
    """Train a model and write it as ONNX, with a card that says what it learned from and how it scored.

    Needs the train extra: scikit-learn, skl2onnx and onnx.
    """
    if not simulated:
        raise UsageError("say what to train on: --simulated")
    log.start("train")
    from pulsaurora.classification.training import train_simulated

    sizes = {"n_sites": n_sites, "n_minutes": n_minutes}
    sizes = {name: size for name, size in sizes.items() if size is not None}
    try:
        with log.progress("simulating") as advance:
            trained = train_simulated(
                out,
                seed=seed,
                workers=workers,
                progress=lambda done, total: advance(1, total=total),
                **sizes,
            )
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("sklearn", "skl2onnx", "onnx"):
            raise UsageError(f"{error.name} is not installed; pip install 'pulsaurora[train]'") from None
        raise
    scores = ", ".join(f"{name} {value:g}" for name, value in trained.scores.items())
    typer.echo(f"{out}: {scores}")
