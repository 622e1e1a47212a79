"""`pulsaurora compare-features`: whether features of real frames lie among those of simulated frames."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable
from pulsaurora.cli import log
from pulsaurora.cli.options import Processes, Stream0


def command(
    stream0: Stream0 = Path("data/stream0"),
    label: Annotated[
        str | None, typer.Option("--label", help="Class of all these real frames, such as bad_viewing.")
    ] = None,
    alike: Annotated[
        str | None,
        typer.Option("--alike", metavar="SCENE,...", help="Simulated scenes that the frames should be like."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path(
        "reports/features"
    ),
    n_sites: Annotated[int, typer.Option("--n-sites", min=2, help="Simulated sites.")] = 300,
    n_minutes: Annotated[int, typer.Option("--n-minutes", min=1, help="Minutes of sky at each.")] = 4,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same skies.")] = 0,
    workers: Processes = None,
):
    """Compare each feature of real frames with what the simulated skies give it.

    Writes features.md, features.json and a picture a feature: where the real frames lie among the simulated
    ones of each class and of the scenes named, and how far from all of them in every feature at once. The
    simulated frames are as those that `pulsaurora train --simulated` is tested on; scenes are in
    docs/simulation.md.
    """
    log.start("compare_features")
    from pulsaurora.classes import CLASSES
    from pulsaurora.classification.carryover import compare_features
    from pulsaurora.classification.dataset import simulate_dataset
    from pulsaurora.classification.realframes import read_real_rows
    from pulsaurora.problems import UsageError
    from pulsaurora.simulation.scenes import SCENES
    from pulsaurora.views.carryover import write_comparison

    # Told before minutes of simulating.
    if label is not None and label not in CLASSES:
        raise UsageError(f"--label {label!r} is no class; the classes are {', '.join(CLASSES)}")
    names = tuple(name.strip() for name in (alike or "").split(",") if name.strip())
    if unknown := [name for name in names if name not in SCENES]:
        raise UsageError(f"no scene is called {', '.join(unknown)}; there are: {', '.join(SCENES)}")
    refuse_unwritable(out)
    rows, problems = read_real_rows(stream0, workers)
    with log.progress("simulating", total=n_sites) as advance:
        dataset = simulate_dataset(
            n_sites, n_minutes, seed, workers, lambda done, total: advance(1), odd_share=0
        )
    comparison = compare_features(dataset, rows, label, names)
    n_alike = f", {len(set(dataset.sites[comparison.groups['alike']].tolist()))} sites" if names else ""
    about = {
        "real frames": f"{len(rows)} of {', '.join(rows['night'].unique())}"
        + (f", all {label}" if label else ""),
        "simulated frames": f"{len(dataset)} of {n_sites} sites of {n_minutes} minutes, seed {seed}",
    }
    if names:
        about["scenes alike"] = ", ".join(names) + n_alike
    written = write_comparison(comparison, out, about, problems)
    group = list(comparison.joint)[-1]
    column = "outside_" + {"all": "all", label: "class"}.get(comparison.reference, "alike")
    for row in comparison.table[comparison.table[column] > 0.05].to_dict("records"):
        shares = f"{100 * row[column]:.0f} % outside, {100 * row['outside_all']:.0f} % outside all simulated"
        typer.echo(f"{row['feature']}: {shares}")
    share = 100 * comparison.joint[group].outside
    typer.echo(f"together: {share:.0f} % of real frames beyond the 99 % distance")
    typer.echo(f"report: {written[0]}")
    return 3 if problems else 0
