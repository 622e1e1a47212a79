"""A folder of classification files, refined into another of the same layout."""

import hashlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.tables import read_whole_night, write_classifications
from pulsaurora.classes import CLASSES
from pulsaurora.classification.context import soft_probabilities
from pulsaurora.classification.refine import (
    STEADY_ONLY,
    embedded_refinements,
    refine_probabilities,
    steady,
)
from pulsaurora.classification.truth import find_classifications, probabilities_of
from pulsaurora.problems import ContractError, Problem, UnreadableFileError, UsageError

_log = logging.getLogger(__name__)


@dataclass
class RefinedTree:
    """What became of a folder.

    Attributes
    ----------
    paths : list of pathlib.Path
        The files written.
    n_frames, n_changed : int
        Frames in them, and those whose label changed.
    problems : list of Problem
        Files that could not be refined, and rows that were left out.
    """

    paths: list = field(default_factory=list)
    n_frames: int = 0
    n_changed: int = 0
    problems: list = field(default_factory=list)


def refine_tree(root, out, refinement=None, advance=None):
    """Refine every classification file below a folder, and leave those files as they are.

    A refinement corrects the habits of the model whose files it was learned from. Each file gets the embedded
    one for its model, or for files that name none; files of other models are only steadied over the night,
    from the probabilities of each frame as `classify` does where a table beside them has these, unless a
    refinement is given.

    Parameters
    ----------
    root : path-like
        Folder of classification files.
    out : path-like
        Where the refined files go, under the same names; not `root`, nor inside it.
    refinement : Refinement, optional
        Learned for files like these.
    advance : callable, optional
        Called once a file.

    Returns
    -------
    RefinedTree

    Raises
    ------
    UsageError
        If `out` is `root` or one of them lies in the other, or there is no classification file.
    """
    root, out = Path(root), Path(out)
    inner, outer = Path(os.path.realpath(out)), Path(os.path.realpath(root))
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise UsageError(f"{out} and {root} overlap; refined files need a folder of their own")
    files = {
        key: [path for path in paths if inner not in Path(os.path.realpath(path)).parents]
        for key, paths in find_classifications(root).items()
    }
    if not any(files.values()):
        raise UsageError(f"no classification files (..._classifications.txt) below {root}")
    done = RefinedTree()
    embedded = embedded_refinements() if refinement is None else {}
    for (site, _), paths in files.items():
        for path in paths:
            target = out / path.relative_to(root)
            try:
                _refine_file(path, target, site, refinement, embedded, done)
            except (UnreadableFileError, ContractError) as error:
                done.problems.append(Problem(str(path), str(error).removeprefix(f"{path}: ")))
            if advance:
                advance()
    for problem in done.problems:
        _log.warning("%s", problem)
    return done


def _refine_file(path, target, site, refinement, embedded, done):
    found = []
    table = read_whole_night(path, found)
    done.problems.extend(problem for problem in found if "put in order" not in problem.reason)
    if not len(table):
        return
    made_by = table.attrs.get("model")
    probabilities = probabilities_of(table)
    if refinement is None:
        refinement = embedded.get(made_by or "", STEADY_ONLY)
        if refinement.evidence == "probabilities" and probabilities is None:
            refinement = STEADY_ONLY
    told = _told(path, table, probabilities, refinement.evidence)
    times = table["time"].to_numpy().astype("datetime64[us]")
    if refinement is STEADY_ONLY and probabilities is not None:
        refined = steady(told, times)  # as `classify` does: nothing was learned that would better it
    else:
        refined = refine_probabilities(times, told, site, refinement)
    label = refined.argmax(axis=1).astype(np.int8)
    before = table["label"].cat.codes.to_numpy()
    columns = {"time": times, "label": label, "confidence": refined.max(axis=1)}
    columns |= {name: refined[:, i] for i, name in enumerate(CLASSES)}
    columns |= {"original_label": before, "original_confidence": table["confidence"].to_numpy()}
    # What else was known of the frames stays known: what touched them, their features, the model's own say.
    columns |= {name: values for name, values in _else_known(table).items() if name not in columns}
    model = refinement.model
    how = "steadying alone"
    if model:
        how = f"{model.path.name}, learned from {model.learned_from}"
    about = {
        "version": __version__,
        "model": model.sha256 if model else "none",
        "inputs": hashlib.sha256(path.read_bytes()).hexdigest(),
        "refined by": how,
    }
    if made_by:
        about["original model"] = made_by
    about |= {key: table.attrs[key] for key in ("model name", "trained on") if key in table.attrs}
    write_classifications(target, columns, about, found)
    done.paths.append(target)
    done.n_frames += len(label)
    done.n_changed += int((label != before).sum())


def _else_known(table):
    """Return the columns of a table by name; texts with gaps in them are none of ours and are left out."""
    columns = {name: table[name].to_numpy() for name in table.columns}
    return {
        name: values
        for name, values in columns.items()
        if values.dtype.kind != "O" or all(isinstance(value, str) for value in values)
    }


def _told(path, table, probabilities, evidence):
    """Return what each frame says by itself, as probabilities: those of the table beside it, if any."""
    if evidence != "class_confidence":
        if probabilities is not None:
            return probabilities
        if evidence == "probabilities":
            raise ContractError(f"{path}: no Parquet table with the probabilities that this refinement takes")
    return soft_probabilities(table["label"].cat.codes.to_numpy(), table["confidence"].to_numpy())
