"""Do features carry over? Where those of real frames fall among those of simulated frames.

A model trained on simulated skies can only be trusted where real frames have values that it has seen, each
feature by itself and all of them together. Both are measured here without any model: each feature against the
range of the simulated frames, and whole rows by how near the nearest simulated row is, compared with how near
it is to rows of simulated sites that were left out.

Sun and moon are left out of both: they come from time and place, not from pixels, and simulated sites hide
them half of the time.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pulsaurora.classes import CLASSES
from pulsaurora.problems import ContractError, UsageError
from pulsaurora.pulsation.table import FEATURE_NAMES, SUN_MOON

# A feature fits when its values lie in the middle 99 per cent of what is simulated.
RANGE = (0.5, 99.5)
# Frames of a look are alike, and neighbouring looks nearly: this many frames of each site stand for it among
# the neighbours.
ROWS_A_SITE = 8
_SUN_MOON = {feature.name for feature in SUN_MOON}
SKY_NAMES = tuple(name for name in FEATURE_NAMES if name not in _SUN_MOON)
_COLUMNS = [FEATURE_NAMES.index(name) for name in SKY_NAMES]


@dataclass
class Distances:
    """How far rows are from the nearest simulated row of another site, in the space of ranks.

    Attributes
    ----------
    simulated, real : ndarray of float64
        One value a row: root mean square over features of the difference in rank (0 to 1, more outside).
    limit : float
        99th percentile of `simulated`.
    outside : float, 0 to 1
        Share of real rows further than that.
    place : float, 0 to 1
        Share of simulated rows that are nearer than the median real row is.
    nearest : dict of str to float
        Scenes of the real rows' nearest neighbours, with their shares.
    apart : dict of str to float
        Features by their share of the real rows' squared distance, the largest first.
    """

    simulated: np.ndarray
    real: np.ndarray
    limit: float
    outside: float
    place: float
    nearest: dict
    apart: dict


@dataclass
class Comparison:
    """Real frames beside simulated ones.

    Attributes
    ----------
    table : DataFrame
        One row a feature, the one furthest outside first; see `compare_features`.
    groups : dict of str to ndarray of bool
        Which simulated rows are in `all`, in each class, and in `alike`.
    reference : str
        The group that the real frames should be like: `alike`, else their class, else `all`.
    simulated : ndarray of shape (n, n_sky_features)
        Columns of SKY_NAMES.
    real : ndarray of shape (n_real, n_sky_features)
    joint : dict of str to Distances
        For `all` and for `reference`.
    """

    table: pd.DataFrame
    groups: dict
    reference: str
    simulated: np.ndarray
    real: np.ndarray
    joint: dict


def compare_features(simulated, real, label=None, alike=()):
    """Compare features of real frames with those of simulated ones.

    Parameters
    ----------
    simulated : pulsaurora.classification.dataset.Dataset
    real : DataFrame or ndarray of shape (n_real, n_features)
        Columns of FEATURE_NAMES, or the same as an array in that order.
    label : str, optional
        The class of all the real frames, one of CLASSES.
    alike : sequence of str
        Names of simulated scenes that the real frames should be like.

    Returns
    -------
    Comparison
        Its table has, for each feature: `low_GROUP` and `high_GROUP`, the 0.5th and 99.5th percentile of
        the simulated frames; `outside_GROUP`, the share of real frames outside these; `beyond_GROUP`, how
        far outside these they lie on average, in widths of the range of all simulated frames; `place_GROUP`,
        the share of simulated frames below the median real one; and `real_low`, `real_median`, `real_high`,
        the 5th, 50th and 95th percentile of the real frames. GROUP is `all`, `class` (where a label is
        given) and `alike` (where scenes are given).

    Raises
    ------
    UsageError
        If the label is no class, or no simulated frame is of the class or of those scenes.
    ContractError
        If a table of features has other columns than are computed here.
    """
    real = _as_rows(real)
    if label is not None and label not in CLASSES:
        raise UsageError(f"label {label!r} is no class; the classes are {', '.join(CLASSES)}")
    groups = {"all": np.ones(len(simulated), bool)}
    groups |= {name: simulated.labels == code for code, name in enumerate(CLASSES)}
    named = {"all": "all"}
    if label is not None:
        named["class"] = label
    if alike:
        groups["alike"] = np.isin(simulated.scenes, list(alike))
        if not groups["alike"].any():
            known = ", ".join(sorted(set(simulated.scenes.tolist())))
            raise UsageError(f"no simulated frame shows {', '.join(alike)}; simulated were: {known}")
        named["alike"] = "alike"
    reference = list(named.values())[-1]
    if not groups[reference].any():
        raise UsageError(f"no simulated frame is {label}; simulate more sites")
    rows = simulated.features[:, _COLUMNS]
    width = np.subtract(*np.percentile(rows, RANGE[::-1], axis=0))
    columns = {"feature": list(SKY_NAMES)}
    for name, values in zip(("real_low", "real_median", "real_high"), (5, 50, 95), strict=True):
        columns[name] = np.percentile(real, values, axis=0)
    for name, group in named.items():
        found = _measure_places(rows[groups[group]], real, width)
        columns |= {f"{column}_{name}": values for column, values in found.items()}
    last = list(named)[-1]
    table = pd.DataFrame(columns)
    # Of those that lie inside, the ones nearest to an end come first.
    table["edge"] = (table[f"place_{last}"] - 0.5).abs()
    order = [f"{what}_{name}" for name in (last, "all") for what in ("outside", "beyond")] + ["edge"]
    table = table.sort_values(order, ascending=False, kind="stable", ignore_index=True).drop(columns="edge")
    ranks = _ranks(rows)
    joint = {}
    for group in dict.fromkeys(["all", reference]):
        mine = groups[group]
        joint[group] = measure_distances(
            ranks(rows[mine]), simulated.sites[mine], simulated.scenes[mine], ranks(real)
        )
    return Comparison(table, groups, reference, rows, real, joint)


def _as_rows(real):
    if isinstance(real, pd.DataFrame):
        if missing := [name for name in FEATURE_NAMES if name not in real]:
            raise ContractError(f"the table of real frames lacks the features {missing}")
        real = real[list(FEATURE_NAMES)]
    real = np.asarray(real, np.float64)
    if real.ndim != 2 or real.shape[1] != len(FEATURE_NAMES) or not len(real):
        raise ContractError(f"real rows: found shape {real.shape}, expected (n, {len(FEATURE_NAMES)}), n > 0")
    return real[:, _COLUMNS]


def _measure_places(simulated, real, width):
    low, high = np.percentile(simulated, RANGE, axis=0)
    # Rounding to float32 puts no value outside.
    slack = 1e-6 * np.maximum(np.abs(low), np.abs(high)) + 1e-9
    past = np.maximum(low - real, real - high)
    outside = past > slack
    median = np.median(real, axis=0)
    place = ((simulated < median).mean(axis=0) + (simulated <= median).mean(axis=0)) / 2
    return {
        "low": low,
        "high": high,
        "outside": outside.mean(axis=0),
        "beyond": np.where(outside, past / np.maximum(width, slack), 0).mean(axis=0),
        "place": place,
    }


def _ranks(features):
    """Return a function that turns rows into ranks among `features`.

    Outside the range of ranks 0.005 to 0.995 it goes on in a straight line, at the mean slope of that
    range: how far outside a value lies still counts.
    """
    grid = np.linspace(*(share / 100 for share in RANGE), 199)
    quantiles = np.quantile(features, grid, axis=0)

    def ranks(rows):
        out = np.empty(rows.shape)
        for k, q in enumerate(quantiles.T):
            value = rows[:, k].astype(np.float64)
            # Where many frames share one value its rank is the middle of theirs.
            known, first, n = np.unique(q, return_index=True, return_counts=True)
            middle = grid[first] + (grid[first + n - 1] - grid[first]) / 2
            slope = (grid[-1] - grid[0]) / max(q[-1] - q[0], 1e-9 + 1e-6 * abs(q[-1]))
            past = np.maximum(value - q[-1], 0) - np.maximum(q[0] - value, 0)
            # One far-off feature alone may not drown the others.
            out[:, k] = np.interp(value, known, middle) + np.clip(past * slope, -2, 2)
        return out

    return ranks


def measure_distances(simulated, sites, scenes, real):
    """Measure how near the nearest simulated row of another site is, for simulated and for real rows.

    Parameters
    ----------
    simulated : ndarray of shape (n, k)
        Ranks of features.
    sites : ndarray of int, shape (n,)
    scenes : ndarray of str, shape (n,)
    real : ndarray of shape (n_real, k)

    Returns
    -------
    Distances

    Raises
    ------
    UsageError
        If the simulated rows are of one site only.
    """
    from scipy.spatial.distance import cdist

    kept = []
    for site in np.unique(sites):
        mine = np.flatnonzero(sites == site)
        kept.append(mine[np.unique(np.linspace(0, len(mine) - 1, ROWS_A_SITE).round().astype(int))])
    if len(kept) < 2:
        raise UsageError("frames of one simulated site cannot be compared with others; simulate more sites")
    kept = np.concatenate(kept)
    simulated, sites, scenes = simulated[kept], sites[kept], scenes[kept]
    own = np.empty(len(simulated))
    for site in np.unique(sites):
        mine = sites == site
        own[mine] = cdist(simulated[mine], simulated[~mine]).min(axis=1)
    nearest = np.empty(len(real), int)
    for start in range(0, len(real), 256):
        some = slice(start, start + 256)
        nearest[some] = cdist(real[some], simulated).argmin(axis=1)
    squares = (real - simulated[nearest]) ** 2
    scale = np.sqrt(simulated.shape[1])
    distance = np.sqrt(squares.sum(axis=1)) / scale
    own /= scale
    limit = float(np.percentile(own, 99))
    share = squares.sum(axis=0) / max(squares.sum(), 1e-30)
    names, n = np.unique(scenes[nearest], return_counts=True)
    return Distances(
        simulated=own,
        real=distance,
        limit=limit,
        outside=float((distance > limit).mean()),
        place=float((own < np.median(distance)).mean()),
        nearest={str(names[k]): float(n[k] / len(real)) for k in np.argsort(-n, kind="stable")},
        apart={SKY_NAMES[k]: float(share[k]) for k in np.argsort(-share, kind="stable")},
    )
