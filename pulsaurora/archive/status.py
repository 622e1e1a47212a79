"""Where the batches of an output folder stand: from its manifest, claims and records of running batches."""

import time
from collections import Counter
from pathlib import Path

from pulsaurora.archive.claims import Claims
from pulsaurora.archive.manifest import DONE, FAILED, MANIFEST_NAME, TO_DO, read_manifest
from pulsaurora.archive.problem_table import PROBLEMS_NAME, read_rows
from pulsaurora.archive.record import read_runs
from pulsaurora.problems import UsageError

_UNDER_WAY = "under way"


def read_status(out, now=None):
    """Tell where the batches of an output folder stand.

    Nothing is written, so it may be asked for at any time and by anyone who can read the folder.

    Parameters
    ----------
    out : path-like
    now : float, seconds since 1970, optional
        The present when not given.

    Returns
    -------
    dict
        `nights`: how many are `done`, `failed`, `under_way` and `to_do`. `n_frames` and `counts` (frames of
        each class, or patches and pulses) of what is done. `kinds`: these three once more for each kind of
        file, such as `classifications` and `patches`. `failed`: night and error of each. `under_way`:
        `night`, `host`, `pid`, `since_s` (seconds ago) of each night that somebody works on. `left_behind`:
        the same of claims whose program was stopped; whoever runs next takes them over. `runs`: what each
        running batch says of itself, with `frames_per_s`. `frames_per_s` of all of them and `left_s`, the
        seconds that what is not done will take at that rate (None where nothing runs or was measured yet).
        `listing`: whether some run has not listed all it has to do. `n_problems` in problems.csv.

    Raises
    ------
    UsageError
        If there is no manifest in the folder and nothing runs there.
    """
    out, now = Path(out), time.time() if now is None else now
    rows = read_manifest(out)
    runs = [_run(run, now) for run in read_runs(out) if run["alive"]]
    if not rows and not runs:
        raise UsageError(f"{out}: has no {MANIFEST_NAME}; name one that `classify` or `events` writes to")
    # A manifest tells what was; whose file has been removed since is to be done again.
    states = {
        file: TO_DO if row.state == DONE and not (out / file).exists() else row.state
        for file, row in rows.items()
    }
    by_name = {Path(row.file).name: row for row in rows.values()}
    claims = {True: [], False: []}
    for name, holder, path in Claims(out).held():
        if name not in (MANIFEST_NAME, PROBLEMS_NAME):
            night = by_name[name].night if name in by_name else name
            told = {"night": night, "host": holder.host, "pid": holder.pid, "since_s": now - holder.since}
            alive = holder.is_alive(path)
            claims[alive].append(told)
            if alive and name in by_name and states[by_name[name].file] != DONE:
                states[by_name[name].file] = _UNDER_WAY
    whole, kinds = _sum(rows.values(), states), {}
    for row in rows.values():
        kinds.setdefault(row.kind, []).append(row)
    n_done, n_frames = whole["nights"]["done"], whole["n_frames"]
    n_left = whole["nights"]["under_way"] + whole["nights"]["to_do"]
    rate = sum(run["frames_per_s"] for run in runs)
    left = n_left * n_frames / n_done / rate if n_done and n_frames and rate else None
    return {
        "out": str(out),
        **whole,
        "kinds": {kind: _sum(of_kind, states) for kind, of_kind in sorted(kinds.items())},
        "failed": [
            {"night": row.night, "error": row.error} for row in rows.values() if states[row.file] == FAILED
        ],
        "under_way": claims[True],
        "left_behind": claims[False],
        "runs": runs,
        "frames_per_s": rate if runs else None,
        "left_s": left if n_left else 0.0,
        "listing": any(not run["listed"] for run in runs),
        "n_problems": len(read_rows(out / PROBLEMS_NAME)),
    }


def _sum(rows, states):
    """What was done of some rows of the manifest, and what came of it."""
    rows = list(rows)
    number, counts = Counter(states[row.file] for row in rows), Counter()
    done = [row for row in rows if states[row.file] == DONE]
    for row in done:
        counts.update(row.counts)
    return {
        "nights": {
            "done": number[DONE],
            "failed": number[FAILED],
            "under_way": number[_UNDER_WAY],
            "to_do": len(rows) - number[DONE] - number[FAILED] - number[_UNDER_WAY],
        },
        "n_frames": sum(row.n_frames for row in done),
        "counts": dict(counts),
    }


def _run(run, now):
    kept = ("host", "pid", "about", "n_done", "n_failed", "n_skipped", "n_frames", "listed")
    return {name: run[name] for name in kept} | {
        "began_s": now - run["began"],
        "heard_s": now - run["beat"],
        "frames_per_s": run["n_frames"] / max(run["took_s"], 1e-3),
    }
