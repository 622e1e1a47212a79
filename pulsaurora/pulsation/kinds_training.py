"""Fits the regression that tells kinds of patches apart, to patches found in simulated skies.

    python -m pulsaurora.pulsation.kinds_training [--cache data/kinds]

writes pulsaurora/pulsation/kinds_table.py. Pulsation comes as the synthetic sky draws its scenes, and added
to other skies at amplitudes down to what is hardly found, so that faintness alone says little. Skies of whole
seeds are left out to choose the strength of the penalty and to score.
"""

import argparse
import hashlib
import textwrap
from pathlib import Path

import numpy as np

from pulsaurora.pulsation.events import find_patches
from pulsaurora.pulsation.kinds import FEATURES, KINDS
from pulsaurora.pulsation.pulses import find_cell_pulses
from pulsaurora.pulsation.reduction import SkyGrid, reduce_frames
from pulsaurora.pulsation.series import CellMap
from pulsaurora.simulation.injection import inject_pulsation
from pulsaurora.simulation.night import SCENES, simulate_minutes

MINUTES = 5
SEEDS = (0, 1, 4, 5)
SCENE_KINDS = {
    "pulsating_parts": "patchy",
    "pulsating_patchy": "patchy_pulsating",
    "pulsating_amorphous": "amorphous",
}
# Aurora behind cloud, which pulsates or does not: of no known kind.
MIXED = ("cloud_over_aurora",)
# Skies that pulsation is added to; the structure of patchy aurora comes with steady patches.
BACKGROUNDS = {
    "patchy": ("patches_steady", "diffuse"),
    "patchy_pulsating": ("clear_dark", "clear_moon", "diffuse", "overcast_moon", "clear_thin_cloud"),
    "amorphous": ("clear_dark", "clear_moon", "diffuse", "overcast_moon", "clear_thin_cloud"),
}
# Of the sky's brightness in the middle of the frame, even in logarithm: from what is hardly found.
ADDED_SHARE = (0.004, 0.5)
LENS = (128.0, 128.0), 118.0
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def simulate(scene, seed, minutes=MINUTES):
    """Return images and times of one scene at a time of winter drawn by the seed."""
    rng = np.random.default_rng([seed, 77])
    start = np.datetime64("2010-11-01T00:00") + np.timedelta64(int(rng.integers(0, 120 * 1440)), "m")
    parts = list(simulate_minutes([seed, 78], start, minutes, script=[(scene, minutes)]))
    return np.concatenate([m.images for m in parts]), np.concatenate([m.times for m in parts])


def skies(seed, cells):
    """Simulate every scene, and pulsation of each kind added to others.

    Yields
    ------
    scene : str
        Its name; with a + where pulsation was added.
    kind : int
        Index into KINDS.
    reduced : Reduced
    """
    jobs = [(scene, None) for scene in SCENES if scene not in MIXED and not scene.startswith("pulsating")]
    jobs += [(scene, None) for scene in SCENE_KINDS for _ in range(3)]
    jobs += [(scene, kind) for kind, scenes in BACKGROUNDS.items() for scene in scenes for _ in range(2)]
    for number, (scene, added) in enumerate(jobs):
        own = 1000 * seed + number
        images, times = simulate(scene, own)
        kind = SCENE_KINDS.get(scene, "other")
        if added is not None:
            scene, kind = f"{scene}+", added
            middle = images[:, 96:160, 96:160].mean() - np.median(images[:, :8, :8])
            share = np.exp(np.random.default_rng(own).uniform(*np.log(ADDED_SHARE)))
            images, _ = inject_pulsation(
                images, times, share * max(middle, 50.0), cover=0.3, kind=kind, seed=own, lens=LENS
            )
        yield scene, KINDS.index(kind), reduce_frames(images, times, cells.grid)


def describe_skies(some, cells):
    """Find and describe the patches of some skies.

    Returns
    -------
    descriptions : ndarray of shape (n, n_features)
    kinds : ndarray of int, shape (n,)
        Index into KINDS.
    scenes : ndarray of str, shape (n,)
    """
    out, kinds, names = [np.empty((0, len(FEATURES)))], [], []
    for scene, kind, reduced in some:
        origin = reduced.times[0].astype("datetime64[D]")
        found = find_patches(find_cell_pulses(reduced, cells, origin), cells, origin, least_confidence=0.0)
        out += [patch.description[None] for patch in found]
        kinds += [kind] * len(found)
        names += [scene] * len(found)
    return np.concatenate(out), np.array(kinds, int), np.array(names, "U40")


def fit(x, y, groups, scenes):
    """Fit, with the penalty that leaves out seeds best; return constants and what is to be said of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import GroupKFold

    means, scales = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.clip((x - means) / scales, -4, 4)
    # A sky full of patches says little more than one with a few: each scene's patches share one weight.
    _, place, counts = np.unique(
        np.char.add(scenes, groups.astype("U6")), return_inverse=True, return_counts=True
    )
    weight = np.minimum(counts, 5)[place] / counts[place]
    folds = list(GroupKFold(n_splits=min(5, len(np.unique(groups)))).split(z, y, groups))

    def loss(penalty):
        likely = np.zeros((len(y), len(KINDS)))
        for train, test in folds:
            model = LogisticRegression(C=penalty, max_iter=2000).fit(
                z[train], y[train], sample_weight=weight[train]
            )
            likely[test] = model.predict_proba(z[test])
        return log_loss(y, likely, sample_weight=weight, labels=range(len(KINDS)))

    losses = {penalty: loss(penalty) for penalty in PENALTIES}
    best = min(losses, key=losses.get)
    model = LogisticRegression(C=best, max_iter=2000)
    left_out = np.zeros((len(y), len(KINDS)))
    for train, test in folds:
        left_out[test] = model.fit(z[train], y[train], sample_weight=weight[train]).predict_proba(z[test])
    model.fit(z, y, sample_weight=weight)
    return means, scales, model.coef_, model.intercept_, left_out, best


def report(y, left_out):
    """Return lines on how well seeds left out were told."""
    other = KINDS.index("other")
    is_pulsating, said = y != other, left_out[:, other] < 0.5
    lines = [
        f"{len(y)} patches: " + ", ".join(f"{(y == k).sum()} {name}" for k, name in enumerate(KINDS)) + ".",
        f"Pulsating aurora or other: {np.mean(is_pulsating == said):.3f} right; of pulsating patches "
        f"{said[is_pulsating].mean():.3f} are kept, of others {said[~is_pulsating].mean():.3f}.",
    ]
    three = left_out[is_pulsating][:, :other]
    told = three.argmax(axis=1)
    sure = three.max(axis=1) / three.sum(axis=1)
    lines.append(
        f"Which of the three kinds: {np.mean(told == y[is_pulsating]):.3f} right, "
        f"said with {sure.mean():.3f}."
    )
    for k, name in enumerate(KINDS[:other]):
        shares = [np.mean(told[y[is_pulsating] == k] == j) for j in range(other)]
        lines.append(
            f"Of {name}: " + ", ".join(f"{s:.2f} {n}" for s, n in zip(shares, KINDS, strict=False)) + "."
        )
    return lines


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--cache", type=Path, help="folder that keeps what was found, a file a seed")
    chosen = parser.parse_args(arguments)
    cells = CellMap(SkyGrid())
    parts = []
    for seed in chosen.seeds:
        path = chosen.cache / f"kinds_{seed:03d}.npz" if chosen.cache else None
        if path is None or not path.is_file():
            x, y, scenes = describe_skies(skies(seed, cells), cells)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, x=x, y=y, scenes=scenes)
        else:
            with np.load(path) as kept:
                x, y, scenes = kept["x"], kept["y"], kept["scenes"]
        parts.append((x, y, np.full(len(y), seed), scenes))
    x, y, groups, scenes = (np.concatenate(part) for part in zip(*parts, strict=True))
    means, scales, weights, intercepts, left_out, penalty = fit(x, y, groups, scenes)
    lines = report(y, left_out)
    target = Path(__file__).with_name("kinds_table.py")
    target.write_text(_table(means, scales, weights, intercepts, penalty, chosen, lines), encoding="utf-8")
    print("\n".join(lines))


def _table(means, scales, weights, intercepts, penalty, chosen, lines):
    def numbers(values):
        return textwrap.fill("[" + ", ".join(f"{v:.4g}" for v in values) + "]", 90)

    rows = ",\n        ".join(numbers(row) for row in weights)
    said = "\n".join(lines)
    fitted = hashlib.sha256(rows.encode()).hexdigest()[:12]
    return f'''"""The regression of kinds.py, made by `python -m pulsaurora.pulsation.kinds_training`.

Seeds {", ".join(map(str, chosen.seeds))}; penalty C = {penalty}. With whole seeds left out:
{said}
"""

import numpy as np

FITTED = "{fitted}"
# fmt: off
MEANS = np.array({numbers(means)})
SCALES = np.array({numbers(scales)})
WEIGHTS = np.array(
    [
        {rows},
    ]
)
INTERCEPTS = np.array({numbers(intercepts)})
'''


if __name__ == "__main__":
    main()
