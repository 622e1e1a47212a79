"""`pulsaurora sensitivity`: how faint, small and fast pulsation may be and still be found."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli import log
from pulsaurora.cli.options import Processes

USUAL = "clear_dark,clear_moon,overcast_moon"


def command(
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FILE", help="ONNX model; the embedded one by default.")
    ] = None,
    stream0: Annotated[
        Path | None,
        typer.Option(
            "--stream0", metavar="DIR", help="Real frames without pulsation: a stream0 tree or a night in it."
        ),
    ] = None,
    scenes: Annotated[
        str, typer.Option("--scenes", metavar="SCENE,...", help="Simulated scenes; '' for none.")
    ] = USUAL,
    n_minutes: Annotated[int, typer.Option("--n-minutes", min=2, help="Minutes of each.")] = 6,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="How often all is done, with other patches and skies.")
    ] = 3,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "reports/sensitivity"
    ),
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="Put the table into this card of the model.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Put the picture here as well; the card links it."),
    ] = None,
    workers: Processes = None,
):
    """Inject pulsating patches into frames and measure what a model says of them.

    Pulsating probability and the share of frames called pulsating against amplitude, covered area and
    period, in real frames (--stream0) and in simulated ones (--scenes). Writes sensitivity.md,
    sensitivity.json and sensitivity.png.
    """
    import os
    import shlex

    from pulsaurora.archive.files import refuse_unwritable, whole_file
    from pulsaurora.classification.model import load_model
    from pulsaurora.classification.modelcard import put_in_card
    from pulsaurora.classification.sensitivity import real_backgrounds, run_sensitivity, usual_settings
    from pulsaurora.problems import UsageError
    from pulsaurora.simulation.scenes import SCENES
    from pulsaurora.views import sensitivity as view
    from pulsaurora.views.keogram import write_figure

    log.start("sensitivity")
    names = [name.strip() for name in scenes.split(",") if name.strip()]
    if unknown := [name for name in names if name not in SCENES]:
        raise UsageError(f"no scene is called {', '.join(unknown)}; there are: {', '.join(SCENES)}")
    for folder in (out, *(file.parent for file in (card, picture) if file is not None)):
        refuse_unwritable(folder)
    loaded = load_model(model)
    backgrounds, problems = real_backgrounds(stream0, n_minutes) if stream0 else ([], [])
    backgrounds += [(name, n_minutes) for name in names]
    with log.progress("injecting") as advance:
        table = run_sensitivity(
            model, backgrounds, usual_settings(), seeds, workers, lambda done, total: advance(1, total=total)
        )
    about = {
        "model": f"`{loaded.sha256[:8]}`",
        "frames": f"{n_minutes} minutes of each sky, {seeds} seeds",
        "made by": "`pulsaurora sensitivity"
        + (" --stream0 DIR" if stream0 else "")
        + (f" --scenes {shlex.quote(scenes)}" if scenes != USUAL else "")
        + "`",
    }
    view.write_sensitivity_json(out / f"{view.NAME}.json", table, about)
    figure = view.draw_sensitivity(table)
    report = out / f"{view.NAME}.md"
    write_figure(figure, report.with_suffix(".png"), dpi=90)
    with whole_file(report) as passing:
        passing.write_text(view.sensitivity_markdown(table, about, f"{view.NAME}.png"), encoding="utf-8")
    if picture is not None:
        write_figure(figure, picture, dpi=90)
    if card is not None:
        link = None if picture is None else Path(os.path.relpath(picture, card.parent)).as_posix()
        put_in_card(card, view.sensitivity_markdown(table, about, link), loaded.sha256)
    typer.echo(f"report: {report}")
    for problem in problems:
        typer.echo(problem, err=True)
    return 3 if problems else 0
