"""`pulsaurora refine`: better labels from a night's own context."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of classification files.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the refined files.")],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="FILE",
            help="ONNX refinement; when not given, the embedded one for the model that made each file.",
        ),
    ] = None,
):
    """Refine classification files by what surrounds each minute, and write them in the same layout.

    Takes files that hold a class and its confidence for each frame, or the tables beside them with every
    probability, and weighs the minutes before and after, the night as a whole, magnetic local time, sun and
    moon. The embedded refinement was learned from files of the reference CNN, which name no model; files of
    models that have none are steadied only, unless --model is given. Files in DIR stay as they are.
    """
    from pulsaurora.classification.refine import load_refinement
    from pulsaurora.classification.refine_tree import refine_tree
    from pulsaurora.classification.truth import find_classifications
    from pulsaurora.cli import log
    from pulsaurora.cli.options import existing_folder

    existing_folder(folder, "DIR")
    refinement = load_refinement(model) if model else None
    refuse_unwritable(out)
    path = log.start("refine")
    n_files = sum(len(paths) for paths in find_classifications(folder).values())
    with log.progress("refining", total=n_files) as advance:
        done = refine_tree(folder, out, refinement, advance)
    share = 100 * done.n_changed / max(done.n_frames, 1)
    typer.echo(
        f"{len(done.paths)} files refined under {out}; {share:.1f}% of {done.n_frames:,} labels changed"
    )
    if done.problems:
        typer.echo(f"{len(done.problems)} problems" + (f", listed in {path}" if path else ""), err=True)
    if not done.paths:
        return 1
    return 3 if done.problems else 0
