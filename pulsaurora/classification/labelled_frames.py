"""Labelled nights as rows of features: their features, and the people's label of each frame."""

import datetime
import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora.archive.layout import plain_text
from pulsaurora.archive.parquettables import prepare_to_write
from pulsaurora.archive.problem_table import update_problems
from pulsaurora.classes import CLASSES
from pulsaurora.classification.batch import run_batch
from pulsaurora.classification.engines import ThreadEngine
from pulsaurora.classification.frametruth import (
    CONTESTED,
    SHORT_BY,
    UNLABELLED,
    choose_apart,
    frame_truth,
    other_codes,
)
from pulsaurora.classification.nightfeatures import FeatureTask, keep_features, read_features
from pulsaurora.classification.tasks import list_tasks
from pulsaurora.problems import Problem

_log = logging.getLogger(__name__)

# Counted of every frame of the labelled nights, besides the classes.
CONTESTED_FRAMES, OTHER_CODE, NO_LABEL = "labelled with two classes", "of other codes", "without a label"


@dataclass
class LabelledFrames:
    """One site on one UT date: features of every frame, and the people's label where there is one.

    Attributes
    ----------
    site : str
    date : datetime.date
    times : ndarray of datetime64[us], shape (n_frames,)
        Ascending.
    features : ndarray of float32, shape (n_frames, n_features)
    truth : ndarray of int8, shape (n_frames,)
        Class numbers; negative where a frame has none.
    counts : collections.Counter
        Frames of each class, and of those left out by reason.
    """

    site: str
    date: datetime.date
    times: np.ndarray
    features: np.ndarray
    truth: np.ndarray
    counts: Counter = field(default_factory=Counter)

    @property
    def name(self):
        return f"{self.date:%Y-%m-%d} {self.site}"


@dataclass
class Labelled:
    """Every labelled night that has frames.

    Attributes
    ----------
    nights : list of LabelledFrames
        By date, then site.
    problems : list of Problem
        Nights without files, and what could not be read.
    n_computed : int
        Tables of features that were computed now and not kept from before.
    """

    nights: list
    problems: list
    n_computed: int = 0

    @property
    def counts(self):
        """Frames of each class, and of those left out by reason, over all nights."""
        return sum((night.counts for night in self.nights), Counter())


def label_frames(site, date, parts, rows, problems):
    """Put together what there is of one site on one UT date, and give its frames the people's labels.

    Parameters
    ----------
    site : str
    date : datetime.date
    parts : list of (name, NightFeatures)
        One an imager.
    rows : DataFrame
        Labels of that site and date, as `read_labels` returns them.
    problems : list of Problem
        Appended to.

    Returns
    -------
    LabelledFrames or None
        None if there is no frame, or none that can be used.
    """
    parts = [(name, part) for name, part in parts if len(part.times)]
    if not parts:
        return None
    chosen, aside = choose_apart([part.times for _, part in parts])
    for index in aside:
        name, part = parts[index]
        reason = f"has the same hours as {parts[chosen[0]][0]}, which has more frames; left aside"
        problems.append(Problem(name, reason))
    times = np.concatenate([parts[index][1].times for index in chosen])
    features = np.concatenate([parts[index][1].features for index in chosen])
    truth, _, beyond = frame_truth(times, rows)
    if beyond > SHORT_BY:
        # Without the first hour, number 0 would be another frame.
        reason = (
            f"has {len(times)} frames, {beyond} fewer than are labelled by number, so which are meant cannot "
            "be told; left out: fetch the missing files, or label by time"
        )
        problems.append(Problem(f"{date} {site}", reason))
        return None
    counts = Counter({name: int((truth == label).sum()) for label, name in enumerate(CLASSES)})
    other = other_codes(times, rows) & (truth == UNLABELLED)
    counts[CONTESTED_FRAMES] = int((truth == CONTESTED).sum())
    counts[OTHER_CODE] = int(other.sum())
    counts[NO_LABEL] = int((truth == UNLABELLED).sum() - other.sum())
    if not (truth >= 0).any():
        reason = f"its labels are of none of its {len(times)} frames"
        problems.append(Problem(f"{date} {site}", reason))
        return None
    return LabelledFrames(site, date, times, features, truth, counts)


def gather(table, archive, cache, workers=None, dayfiles=False, watch=None):
    """Compute or take from the cache the features of every labelled night, with the labels of its frames.

    Parameters
    ----------
    table : DataFrame
        Labels of THEMIS nights, as `read_labels` returns them.
    archive : path-like
        Root of a stream0 tree, or a folder of day files with raw frames.
    cache : path-like
        Folder where features are kept, one table a night, and `problems.csv`.
    workers : int, optional
        Threads; as many as cores when not given.
    dayfiles : bool
        Whether `archive` is a folder of day files.
    watch : callable, optional
        Called with the part of a date that was finished since the last call.

    Returns
    -------
    Labelled

    Raises
    ------
    UsageError
        If `archive` is no folder or `cache` cannot be written.
    """
    labelled = table[table["label"].notna()]
    wanted = {}
    for date, rows in labelled.groupby(labelled["date"].dt.date, sort=True):
        wanted[date] = sorted(set(rows["site"]))
    threading.Thread(target=prepare_to_write, daemon=True).start()
    tasks = {}

    def list_days(problems):
        for date, sites in wanted.items():
            (listed,) = list_tasks(
                archive, cache, date, date, sites, problems=problems, dayfiles=dayfiles, kind=FeatureTask
            )
            for task in listed:
                tasks[task.name] = task
            for site in sites:
                if site not in {task.night.site for task in listed}:
                    reason = f"no files of {date} {site}, which is labelled"
                    problems.append(Problem(plain_text(Path(archive)), reason))
            yield listed

    dates = list(wanted) or [datetime.date(1990, 1, 1)]
    engine = ThreadEngine(workers)
    batch = run_batch(
        list_days, archive, cache, dates[0], dates[-1], None, engine, watch, None, keep_features
    )
    told = [(problem, "") for problem in batch.problems]
    told += [(problem, result.name) for result in batch.nights for problem in result.problems]
    found, nights = {}, []
    for result in batch.nights:
        night = tasks[result.name].night
        kept = None if result.status == "failed" else read_features(result.path)
        if kept is not None:
            found.setdefault((night.date, night.site), []).append((result.name, kept))
        elif result.status != "failed":
            told.append((Problem(str(result.path), "was written and cannot be read"), result.name))
    for (date, site), parts in sorted(found.items(), key=lambda item: item[0]):
        rows, problems = table[(table["date"].dt.date == date) & (table["site"] == site)], []
        night = label_frames(site, date, parts, rows, problems)
        if night is not None:
            nights.append(night)
        for problem in problems:
            _log.warning("%s", problem)
        told += [(problem, parts[0][0]) for problem in problems]
    # Once more than `run_batch` did, with what only the labels tell.
    done = [result.name for result in batch.nights]
    update_problems(cache, told, done, archive, dates[0], dates[-1])
    n_computed = sum(result.status == "done" for result in batch.nights)
    return Labelled(nights, [problem for problem, _ in told], n_computed)
