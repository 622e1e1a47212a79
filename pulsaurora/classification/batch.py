"""Many nights: doing them, whichever are not done already, and what was wrong with their inputs.

A night that is done already (same files, same model, same version) is left as it is, so a batch that was
stopped goes on where it was. Several batches may work on one output folder at the same time, on one machine
or on several: each night is claimed by whoever does it, and what others have under way is waited for at the
end.
"""

import contextlib
import logging
import threading
import time
from pathlib import Path

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.claims import Claims
from pulsaurora.archive.layout import fingerprint, plain_text
from pulsaurora.archive.outcomes import NightResult, collected
from pulsaurora.archive.parquettables import count_labels, prepare_to_write
from pulsaurora.archive.problem_table import check_writable
from pulsaurora.archive.record import Record
from pulsaurora.archive.tables import (
    count_text_rows,
    parquet_path,
    read_about,
    read_problems,
    were_kept_back,
    write_classifications,
)
from pulsaurora.classes import CLASSES
from pulsaurora.classification.engines import ThreadEngine
from pulsaurora.classification.model import load_model
from pulsaurora.classification.night import classify_night
from pulsaurora.classification.nightskymap import find_night_skymap, night_elevation
from pulsaurora.classification.tasks import list_tasks
from pulsaurora.problems import UsageError
from pulsaurora.workers import give_back_memory

# Between looks at whether another program has ended a night that it has under way.
_LOOK_S, _LONGEST_LOOK_S = 0.2, 5.0
_TELL_S = 3600.0  # between lines that say who is waited for: a program that hangs holds its night for good

_log = logging.getLogger(__name__)


def classify_nights(
    stream0,
    out,
    start,
    end,
    sites=None,
    workers=None,
    model=None,
    overwrite=False,
    watch=None,
    dayfiles=False,
    engine=None,
    shard=None,
):
    """Label every frame of every night from `start` to `end`.

    Parameters
    ----------
    stream0, out, start, end, sites, model, overwrite, dayfiles, shard
        As for `list_tasks`.
    workers : int, optional
        Threads; as many as this process may use cores when not given.
    watch : callable, optional
        Called with the part of a day that was finished since the last call, from any thread.
    engine : ThreadEngine or DaskEngine, optional
        Where the nights are done; in `workers` threads when not given.

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If a folder is missing or cannot be written.
    ContractError
        If the model cannot be used.
    """
    loaded = load_model(model)
    threading.Thread(target=prepare_to_write, daemon=True).start()

    def list_days(problems):
        return list_tasks(stream0, out, start, end, sites, model, overwrite, problems, dayfiles, shard=shard)

    engine = engine or ThreadEngine(workers)
    return run_batch(list_days, stream0, out, start, end, sites, engine, watch, loaded, classify_task, shard)


def run_batch(list_days, stream0, out, start, end, sites, engine, watch, model, work, shard=None):
    """Do the nights of some days and bring manifest and table of problems up to date, whatever happens.

    Parameters
    ----------
    list_days : callable
        Takes a list for problems and returns what `list_tasks` yields.
    stream0, out, start, end, sites, engine, watch, shard
        As for `classify_nights`.
    model, work
        As for `run_task`.

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If a folder is missing or cannot be written.
    """
    if not Path(stream0).is_dir():
        raise UsageError(f"{stream0}: is not a folder, expected the root of an archive")
    about = f"{start} to {end}" + (f", shard {shard}" if shard else "") + f", {engine}"
    with contextlib.ExitStack() as stack:
        stack.callback(give_back_memory)
        stack.enter_context(engine)
        check_writable(out)
        batch = stack.enter_context(collected(out, stream0, start, end, sites, shard))
        record = Record(out, about, (start, end, sites, shard))
        stack.enter_context(record.kept(list_days))
        elsewhere = []
        # Closed here and not when it is collected: a batch that was stopped has nothing under way when its
        # claims and tables are put in order.
        with contextlib.closing(engine.run(list_days(batch.problems), model, watch, work)) as running:
            for task, results in running:
                _take_in(task, results, batch, record, elsewhere)
        _wait_for(elsewhere, out, engine, model, work, batch, record)
    batch.nights.sort(key=lambda night: night.name)
    return batch


def _take_in(task, results, batch, record, elsewhere):
    for result in results:
        if result.status == "busy":
            elsewhere.append(task)
            _log.debug("%s: under way elsewhere, by %s", task.name, result.error)
        else:
            batch.add(result)
            record.add(result)
    if results and task.path not in {result.path for result in results}:
        record.became_others(task.path)


def _wait_for(tasks, out, engine, model, work, batch, record):
    """Wait for nights that other programs have under way; what they leave undone is done here."""
    claims, pause, told = Claims.of(out), _LOOK_S, -_TELL_S
    while tasks:
        holders = [(task, claims.holder(task.path.name)) for task in tasks]
        if time.monotonic() - told >= _TELL_S:
            told = time.monotonic()
            first = next((f"; {task.name}: {other}" for task, other in holders if other), "")
            _log.info("waiting for %d nights that other programs have under way%s", len(tasks), first)
        free = [task for task, holder in holders if holder is None]
        tasks, taken = [task for task in tasks if task not in free], []
        with contextlib.closing(engine.run([free], model, None, work)) as running:
            for task, results in running:
                _take_in(task, results, batch, record, taken)
        if len(taken) == len(free):  # none was free, or not by the clock that counts
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_S)
        tasks += taken


def classify_task(task, model, pool, count, stop):
    """Classify one night unless it is done already; the arguments are those of `run_task`."""
    model = load_model(task.model) if model is None else model
    night = task.night
    skymap_path = find_night_skymap(night, task.stream0)
    about = {
        "version": __version__,
        "model": model.sha256,
        "trained on": model.learned_from,
        "inputs": fingerprint(night, skymap_path),
    }
    if not task.overwrite and (already := classified_already(task.name, task.path, about)) is not None:
        return already
    elevation, problems = night_elevation(night, skymap_path)
    labelled = classify_night(night, model, pool, elevation, count, stop)
    if task.imager_changed and len(labelled):
        quality = labelled.table["quality"]
        quality[0] = ";".join(filter(None, ["imager_changed", quality[0]]))
    return keep_labels(task.name, task.path, labelled, about, model, problems + labelled.problems)


def keep_labels(name, path, labelled, about, model, problems):
    """Write what was found out about the frames of a night; return its NightResult.

    Parameters
    ----------
    name : str
    path : Path
        The classification file.
    labelled : LabelledNight
    about : dict of str to str
        From which later runs tell that it is done.
    model : Model
    problems : list of Problem
    """
    # The name may change without the model: it is told, but whether the work is done does not rest on it.
    told = {**about, "model name": plain_text(model.path.name)}
    write_classifications(path, labelled.table, told, problems)
    counts = np.bincount(labelled.table["label"], minlength=len(CLASSES)).tolist()
    return NightResult(name, "done", path, len(labelled), dict(zip(CLASSES, counts, strict=True)), problems)


def classified_already(name, path, about):
    """Return the NightResult of a night that was classified from the same inputs, else None."""
    table = parquet_path(path)
    if not table.is_file() or not read_about(path).items() >= about.items():
        return None
    problems, counts = read_problems(table), count_labels(table)
    if problems is None or counts is None or were_kept_back(problems):
        return None
    if count_text_rows(path) != sum(counts.values()):
        return None  # cut since it was written
    return NightResult(name, "skipped", path, sum(counts.values()), counts, problems)
