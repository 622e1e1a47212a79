"""What people said of frames, put beside what a classification file says of them."""

import datetime
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora.archive.tables import read_whole_night
from pulsaurora.classes import CLASSES
from pulsaurora.classification.frametruth import (
    CONTESTED,
    SHORT_BY,
    UNLABELLED,
    choose_apart,
    frame_truth,
)
from pulsaurora.imaging.pfrr import SITE as PFRR
from pulsaurora.problems import Problem, UnreadableFileError

_TRUTH_NAME = re.compile(r"(\d{8})_([a-z0-9]{4})_(\w+)_truth\.csv", re.ASCII)
# Text keeps whole seconds, and the frames of a simulated night are 3 s apart.
_TIME_SLACK = np.timedelta64(1, "s")
_NAME = re.compile(r"(\d{8})_([a-z0-9]{3,4})_(\w+)_classifications\.txt", re.ASCII)
# Sheets of labels name Poker Flat otherwise than its images do.
_NAMED_IN_FILES = {"pfrr": PFRR}


@dataclass
class JudgedNight:
    """One site on one UT date, as people labelled it and as a classification file has it.

    Attributes
    ----------
    site : str
        As the labels name it.
    date : datetime.date
    paths : list of pathlib.Path
        The classification file; several if the imager was changed that night.
    times : ndarray of datetime64[us], shape (n_frames,)
        In time order.
    predicted : ndarray of int8, shape (n_frames,)
        Class numbers of the file.
    confidence : ndarray of float32, shape (n_frames,)
    truth : ndarray of int8, shape (n_frames,)
        Class numbers of the people; UNLABELLED, or CONTESTED where they name two classes for a frame.
    intervals : list of (first, end, label)
        Each labelled interval once: its frames are `first` to `end - 1`; none if it lies beyond the file.
    probabilities : ndarray of float32, shape (n_frames, 4), or None
        Of each frame by itself, where a Parquet table beside the file has them.
    """

    site: str
    date: datetime.date
    paths: list
    times: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    truth: np.ndarray
    intervals: list
    probabilities: np.ndarray | None = None

    @property
    def name(self):
        return f"{self.date:%Y-%m-%d} {self.site}"


def find_classifications(root):
    """Find classification files by their names, in any folders below `root`.

    Returns
    -------
    dict of (site, datetime.date) to list of pathlib.Path
        Sorted. Symbolic links to folders are followed, each folder once.
    """
    found = {}
    for folder, names in _folders(root):
        for name in names:
            match = _NAME.fullmatch(name)
            try:
                key = (match[2], datetime.datetime.strptime(match[1], "%Y%m%d").date())
            except (TypeError, ValueError):
                continue
            found.setdefault(key, []).append(Path(folder, name))
    return {key: sorted(found[key]) for key in sorted(found, key=lambda key: (key[1], key[0]))}


def _folders(root):
    """Yield each folder below `root` and the names of its files, then those that links lead to.

    No folder comes twice, and none around `root`, so that loops of links end.
    """
    root = Path(root)
    seen, waiting = {_identity(folder) for folder in Path(os.path.realpath(root)).parents}, [root]
    for start in waiting:
        for folder, below, names in os.walk(start):
            identity = _identity(folder)
            if identity is None or identity in seen:
                below.clear()
                continue
            seen.add(identity)
            yield folder, names
            paths = (os.path.join(folder, name) for name in sorted(below))
            waiting += [path for path in paths if os.path.islink(path)]


def _identity(folder):
    """Return what tells a folder from all others, whatever it is called; None if it is gone."""
    try:
        about = os.stat(folder)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def judge_nights(labels, root, problems=None):
    """Read the classification file of every labelled night, and give each frame the people's label.

    Labels by time go to the frames of those times. Labels by frame number alone go by the order in time,
    counted from zero.

    Parameters
    ----------
    labels : DataFrame
        As `read_labels` returns it; rows without a label (np, Sunset, ...) count for nothing.
    root : path-like
        Folder of classification files, or one such file.
    problems : list of Problem, optional
        What was wrong or repaired is appended: files out of order, empty, or shorter than the labels; files
        left aside for a longer one of the same hours, as of another filter; labels that contradict each
        other; nights without a file (as one problem).

    Returns
    -------
    list of JudgedNight
        In order of date and site; nights with neither a file nor a labelled frame are left out.
    """
    problems = [] if problems is None else problems
    root = Path(root)
    files = find_classifications(root.parent) if root.is_file() else find_classifications(root)
    if root.is_file():
        files = {key: [root] for key, paths in files.items() if root in paths}
    labels = labels[labels["label"].notna()]
    nights, without = [], []
    for (date, site), rows in labels.groupby(["date", "site"], sort=True):
        date = date.date()
        paths = files.get((_NAMED_IN_FILES.get(site, site), date), [])
        if not paths:
            without.append(f"{date} {site}")
            continue
        table, paths, probabilities = _read(paths, problems)
        if table is None:
            continue
        night = _judge(site, date, paths, table, probabilities, rows, problems)
        if night.intervals:
            nights.append(night)
    if without:
        some = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        reason = f"no classification file for {len(without)} of the labelled nights: {some}"
        problems.append(Problem(str(root), reason))
    return nights


def simulated_nights(folder, root, problems=None):
    """Read the classification file of every simulated night, and give each frame the truth.

    Parameters
    ----------
    folder : path-like
        Holds the `..._truth.csv` that `pulsaurora simulate` wrote.
    root : path-like
        Folder of classification files of those nights.
    problems : list of Problem, optional
        What could not be read is appended; nights without a classification file (as one problem).

    Returns
    -------
    list of JudgedNight
        In order of date and site. Frames that the truth does not know stay unlabelled.
    """
    problems = [] if problems is None else problems
    files, nights, without = find_classifications(root), [], []
    for path in sorted(Path(folder).glob("*_truth.csv")):
        match = _TRUTH_NAME.fullmatch(path.name)
        if match is None:
            continue
        date, site = datetime.datetime.strptime(match[1], "%Y%m%d").date(), match[2]
        paths = [each for each in files.get((site, date), []) if match[3] == _NAME.fullmatch(each.name)[3]]
        if not paths:
            without.append(f"{date} {site}")
            continue
        try:
            known, classes = _read_truth(path)
        except UnreadableFileError as error:
            problems.append(Problem(str(path), str(error).removeprefix(f"{path}: ")))
            continue
        table, paths, probabilities = _read(paths, problems)
        if table is None:
            continue
        times = table["time"].to_numpy().astype("datetime64[us]")
        at = np.clip(np.searchsorted(known, times - _TIME_SLACK), 0, len(known) - 1)
        truth = np.where(np.abs(known[at] - times) <= _TIME_SLACK, classes[at], UNLABELLED).astype(np.int8)
        edges = np.flatnonzero(np.diff(truth, prepend=-3, append=-3))
        runs = [(int(a), int(b), int(truth[a])) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        runs = [run for run in runs if run[2] >= 0]
        if runs:
            nights.append(_night(site, date, paths, table, probabilities, truth, runs))
    if without:
        some = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        reason = f"no classification file for {len(without)} of the simulated nights: {some}"
        problems.append(Problem(str(root), reason))
    return sorted(nights, key=lambda night: (night.date, night.site))


def _read_truth(path):
    """Return times and class numbers, in time order, from a simulated night's truth."""
    import pandas as pd

    try:
        table = pd.read_csv(path, usecols=["time", "label"])
        times = pd.to_datetime(table["time"], format="ISO8601", utc=True).dt.tz_localize(None)
        times, classes = times.to_numpy().astype("datetime64[us]"), table["label"].to_numpy(np.int8)
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"{path}: not the truth of a simulated night ({error})") from None
    if not len(times) or not ((classes >= 0) & (classes < len(CLASSES))).all():
        raise UnreadableFileError(f"{path}: holds no rows, or labels that are no class")
    order = np.argsort(times, kind="stable")
    return times[order], classes[order]


def _read(paths, problems):
    """Return the table of a night, from the file or files it has, those that were used, and probabilities."""
    tables = []
    for path in paths:
        try:
            table = read_whole_night(path, problems)
            if len(table):
                tables.append((path, table))
        except UnreadableFileError as error:
            problems.append(Problem(str(path), str(error).removeprefix(f"{path}: ")))
    if not tables:
        return None, [], None
    chosen, aside = choose_apart([table["time"] for _, table in tables])
    for index in aside:
        path, table = tables[index]
        best, longest = tables[chosen[0]]
        rows = "more rows" if len(longest) > len(table) else "as many rows"
        reason = f"tells of the same hours as {best.name}, which has {rows}; left aside"
        problems.append(Problem(str(path), reason, len(table)))
    paths, tables = zip(*[tables[index] for index in chosen], strict=True)
    parts = [probabilities_of(table) for table in tables]
    table = tables[0]
    if len(tables) > 1:  # the imager was changed during the night
        import pandas as pd

        table = pd.concat([each[["time", "label", "confidence"]] for each in tables], ignore_index=True)
    return table, list(paths), None if any(part is None for part in parts) else np.concatenate(parts)


def probabilities_of(table):
    """Return what the model alone says of each frame, before that was steadied, where a table has it.

    Parameters
    ----------
    table : DataFrame
        As `read_whole_night` returns it.

    Returns
    -------
    ndarray of float32, shape (n_frames, 4), or None
    """
    for prefix in ("raw_", ""):
        names = [f"{prefix}{name}" for name in CLASSES]
        if set(names) <= set(table):
            return table[names].to_numpy(np.float32)
    return None


def _judge(site, date, paths, table, probabilities, rows, problems):
    times = table["time"].to_numpy().astype("datetime64[us]")
    n = len(times)
    truth, intervals, beyond = frame_truth(times, rows)
    first_path = str(paths[0])
    if beyond > SHORT_BY:
        reason = f"has {n} rows, {beyond} fewer than are labelled; the labels beyond its end are not used"
        problems.append(Problem(first_path, reason, n))
    if n_contested := int((truth == CONTESTED).sum()):
        reason = f"{n_contested} frames are labelled with two classes; they are not used"
        problems.append(Problem(first_path, reason, n - n_contested))
    return _night(site, date, paths, table, probabilities, truth, intervals)


def _night(site, date, paths, table, probabilities, truth, intervals):
    return JudgedNight(
        site,
        date,
        paths,
        table["time"].to_numpy().astype("datetime64[us]"),
        table["label"].cat.codes.to_numpy().astype(np.int8),
        table["confidence"].to_numpy(np.float32),
        truth,
        intervals,
        probabilities,
    )
