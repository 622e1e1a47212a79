"""`pulsaurora train`: make a model."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable
from pulsaurora.cli import log
from pulsaurora.cli.nights import Labels
from pulsaurora.cli.options import Dayfiles, Stream0, existing_folder, parse_numbers
from pulsaurora.problems import UsageError

_FOR_LABELS, _FOR_SIMULATED = "With --labels", "With --simulated"


def command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="ONNX file; its card goes beside it.")],
    simulated: Annotated[bool, typer.Option("--simulated", help="Train on simulated skies.")] = False,
    labels: Labels = None,
    stream0: Stream0 = Path("data/stream0"),
    dayfiles: Dayfiles = None,
    features: Annotated[
        Path,
        typer.Option(
            "--features",
            metavar="DIR",
            help="Where features of labelled nights are kept, so that they are computed once.",
        ),
    ] = Path("data/features"),
    penalties: Annotated[
        str | None,
        typer.Option("--penalties", help=f"{_FOR_LABELS}: of networks, to choose from (0.1,0.5,2)."),
    ] = None,
    rounds: Annotated[
        str | None, typer.Option("--rounds", help=f"{_FOR_LABELS}: of trees, to choose from (75,150,300).")
    ] = None,
    n_networks: Annotated[
        int | None, typer.Option("--n-networks", min=1, help=f"{_FOR_LABELS}: networks averaged (8).")
    ] = None,
    n_sites: Annotated[
        int | None, typer.Option("--n-sites", min=32, help=f"{_FOR_SIMULATED}: sites (14848).")
    ] = None,
    n_minutes: Annotated[
        int | None,
        typer.Option("--n-minutes", min=1, help=f"{_FOR_SIMULATED}: minutes of sky at sites left out (3)."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same model.")] = 0,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="As many as there are cores when not given.")
    ] = None,
):
    """Train a model and write it as ONNX, with a card that says what it learned from and how it scored.

    From human labels and the archive's files: --labels, --stream0; see docs/training.md. Features are
    computed as `classify` computes them and kept, so a training that was stopped goes on where it was. Or on
    --simulated skies. Needs the train extra: scikit-learn, skl2onnx and onnx.
    """
    if simulated and labels:
        raise UsageError("--simulated and --labels are two things to train on; name one of them")
    if not simulated and not labels:
        raise UsageError("say what to train on: --simulated, or --labels WORKBOOK with --stream0 DIR")
    if labels:
        _refuse("--simulated", {"--n-sites": n_sites, "--n-minutes": n_minutes})
        if dayfiles is None:
            archive = existing_folder(stream0, "--stream0")
        else:
            archive = existing_folder(dayfiles, "--dayfiles")
        sizes = {
            "penalties": parse_numbers(penalties, float, "--penalties"),
            "rounds": parse_numbers(rounds, int, "--rounds"),
            "n_networks": n_networks,
        }
    else:
        chosen = {"--penalties": penalties, "--rounds": rounds, "--n-networks": n_networks}
        _refuse("--labels", {**chosen, "--dayfiles": dayfiles})
        sizes = {"n_sites": n_sites, "n_minutes": n_minutes}
    sizes = {name: size for name, size in sizes.items() if size is not None}
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name the ONNX file to write")
    refuse_unwritable(out.parent)
    log.start("train")
    try:
        # Their absence is to be told before hours of reading or simulating.
        import onnx  # noqa: F401
        import skl2onnx  # noqa: F401
        import sklearn  # noqa: F401

        if labels:
            return _train_labelled(labels, archive, features, out, dayfiles is not None, seed, workers, sizes)
        from pulsaurora.classification.training import train_simulated

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
    _tell(out, trained)
    return 0


def _train_labelled(labels, archive, features, out, dayfiles, seed, workers, sizes):
    from pulsaurora.archive.labels import read_workbooks, unknown_codes
    from pulsaurora.archive.problem_table import PROBLEMS_NAME
    from pulsaurora.classification.labelled_training import train_labelled

    table, refused, workbooks = read_workbooks(labels, "themis")
    refused += unknown_codes(table)
    for problem in refused:
        typer.echo(str(problem), err=True)
    n_dates = table.loc[table["label"].notna(), "date"].nunique()
    with log.progress("features", total=n_dates) as advance:
        trained, labelled = train_labelled(
            table,
            workbooks,
            archive,
            features,
            out,
            dayfiles=dayfiles,
            seed=seed,
            workers=workers,
            watch=advance,
            progress=lambda done, total: advance(1, "fitting", total=n_dates + total),
            **sizes,
        )
    counts = ", ".join(f"{n} {name}" for name, n in labelled.counts.items())
    typer.echo(f"{len(labelled.nights)} nights, {labelled.n_computed} of them read now; frames: {counts}")
    _tell(out, trained)
    if labelled.problems:
        typer.echo(f"{len(labelled.problems)} problems, listed in {features / PROBLEMS_NAME}", err=True)
    return 3 if refused or labelled.problems else 0


def _refuse(other, options):
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} is for {other}")


def _tell(out, trained):
    scores = ", ".join(f"{k} {'none' if v is None else format(v, 'g')}" for k, v in trained.scores.items())
    typer.echo(f"{out}: {scores}")
