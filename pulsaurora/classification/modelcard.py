"""The card of a trained features model: what it learned from, how it scored, where it fails."""

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pulsaurora import __version__
from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.evaluation import score_matrix
from pulsaurora.classification.labelled_frames import CONTESTED_FRAMES, NO_LABEL, OTHER_CODE
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.reduction import WINDOW_S
from pulsaurora.pulsation.table import FEATURE_VERSION


def write_card(content, trained_on, kind, figures, judged, compared):
    """Return the card as Markdown.

    Parameters
    ----------
    content : bytes
        The ONNX file.
    trained_on, kind : str
    figures : dict
    judged : pulsaurora.classification.training.Judgement
        Of sites left out of everything else.
    compared : list of (name, temperature, Judgement)
        The kinds of model that were compared, on sites used for that and for calibration.
    """
    kinds = "\n".join(
        f"| {name} | {j.scores(False).macro_f1:.3f} | {j.scores().macro_f1:.3f} "
        f"| {j.scores().precision[PULSATING]:.3f} | {j.scores().recall[PULSATING]:.3f} "
        f"| {j.calibration(False):.3f} | {temperature:.2f} |"
        for name, temperature, j in compared
    )
    scenes = "\n".join(
        f"| {s} | {r.true} | {r.frames} | {r.right:.3f} | {r.pulsating:.3f} |"
        for s, r in by_scene(judged).iterrows()
    )
    return f"""# Card of the embedded features model

**Trained on {trained_on}.**
How it does on real skies has not been shown, beyond the real overcast frames that the tests use.

{_identity(content)}
- {kind}, their logarithms averaged, tempered on sites left out (temperature {figures["temperature"]})
- expected calibration error on test sites {figures["calibration_error"]}; steadied
  {figures["steadied_calibration_error"]}
- rows on which ONNX and what was fitted differ by more than 0.001: {figures["onnx_disagrees"]:.5f} of all

Made again by `make model`; the same seed gives the same file.

## Scores on simulated sites left out, as `classify` gives labels: steadied over time

{judged.scores().markdown()}

Only frames of which people would be sure, since limits of light half as high again or by as much lower give
them the same label ({judged.dataset.sure.mean():.0%} of all):

{judged.scores(sure=True).markdown()}

## The same, each frame by itself

{judged.scores(False).markdown()}

## Kinds of model compared

On sites not fitted to, which also set each one's temperature. Macro F1 of frames by themselves and steadied;
pulsating precision and recall steadied; expected calibration error by frame.

| model | macro F1 | steadied | precision | recall | calibration error | temperature |
|---|---:|---:|---:|---:|---:|---:|
{kinds}

## What is unlike any sky

Mean top probability {judged.top(unlike=True):.2f} for pictures unlike any sky (other seeds of kinds that
it was shown, with no class as the answer), {judged.top(unlike=False):.2f} for skies.

## Poker Flat images

It was never tried on labelled ones. One filter at one frame in 12 s shows less than THEMIS' white light every
3 s: docs/pfrr.md says what that costs on simulated frames.

## By scene, steadied

| scene | truth | frames | right | called pulsating |
|---|---|---:|---:|---:|
{scenes}
"""


def by_scene(judged):
    """Return a table of scenes: the usual true class, frames, share right, share called pulsating."""
    said = judged.steadied.argmax(axis=1)
    table = pd.DataFrame(
        {
            "scene": judged.dataset.scenes,
            "true": judged.dataset.labels,
            "right": said == judged.dataset.labels,
            "pulsating": said == PULSATING,
        }
    )
    names = (*CLASSES, "none")
    return table.groupby("scene").agg(
        true=("true", lambda t: names[int(t.mode()[0])]),
        frames=("right", "size"),
        right=("right", "mean"),
        pulsating=("pulsating", "mean"),
    )


def write_labelled_card(content, trained_on, figures, parts, judged, compared, n_folds, workbooks):
    """Return the card, as Markdown, of a model trained on human labels.

    Parameters
    ----------
    content : bytes
        The ONNX file.
    trained_on : str
    figures : dict
    parts : dict of str to list of LabelledFrames
        The nights trained on and those tested on.
    judged : pulsaurora.classification.labelled_training.Judged
        Of the nights tested on.
    compared : list of pulsaurora.classification.labelled_training.Compared
        Best first.
    n_folds : int
    workbooks : list of path-like
    """
    books = "\n".join(
        f"| {path.name} | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |"
        for path in sorted(map(Path, workbooks), key=lambda path: path.name)
    )
    shown = [*CLASSES, CONTESTED_FRAMES, OTHER_CODE, NO_LABEL]
    counts = {what: sum((night.counts for night in nights), Counter()) for what, nights in parts.items()}
    frames = "\n".join(
        f"| {name} | " + " | ".join(str(count[name]) for count in counts.values()) + " |" for name in shown
    )
    dates = "\n".join(
        f"- {what}: {len(nights)} nights of {len({n.date for n in nights})} dates: {_by_date(nights)}"
        for what, nights in parts.items()
    )
    steadied, single = judged.estimates(), judged.estimates(steadied=False)
    rows = "\n".join(f"| {name.replace('_', ' ')} | {steadied[name]} | {single[name]} |" for name in steadied)
    nights = "\n".join(
        f"| {night.name} | {int(c.sum())} | {np.trace(c) / c.sum():.3f} | {int(c[PULSATING].sum())} "
        f"| {int(c[:, PULSATING].sum())} |"
        for night, c in zip(judged.nights, judged.confusions(), strict=True)
    )
    kinds = "\n".join(
        f"| {each.name} | {each.judged.figures(False)['macro_f1']:.3f} | {s['macro_f1']:.3f} "
        f"| {s['precision_pulsating']:.3f} | {s['recall_pulsating']:.3f} | {s['f1_pulsating']:.3f} "
        f"| {each.judged.estimates(False)['calibration_error'].value:.3f} | {each.temperature:.2f} |"
        for each in compared
        for s in [each.judged.figures()]
    )
    scores = score_matrix(judged.confusions().sum(axis=0))
    return f"""# Card of a features model trained on human labels

**Trained on {trained_on}.**

{_identity(content)}
- {compared[0].name}; temperature {figures["temperature"]}
- rows of the test nights on which ONNX and what was fitted differ by more than 0.001:
  {figures["onnx_disagrees"]:.5f} of all

Trained with the classes equally often, so its probabilities suppose that. It was shown nothing but labelled
skies: of pictures unlike any of them it may be sure all the same.

## What it learned from

| workbook | sha256 |
|---|---|
{books}

All sites of a date are on one side, since they share its aurora.

{dates}

Frames:

| | {" | ".join(counts)} |
|---|{"---:|" * len(counts)}
{frames}

## Scores on the nights tested on

They took no part in anything else: not in the fit, nor in what was chosen, nor in the temperature. With
intervals of 95 % from drawing dates again. Steadied over time, as `classify` gives labels, and each frame by
itself.

| figure | steadied | by frame |
|---|---:|---:|
{rows}

Steadied:

{scores.markdown()}

| night | labelled frames | right | pulsating | called pulsating |
|---|---:|---:|---:|---:|
{nights}

## What was chosen from

By leaving out the dates trained on in {n_folds} parts in turn; chosen by the mean of macro F1 and pulsating
F1, steadied. These figures are those of the choice, the best of several, and so too good for it.

| model | macro F1 by frame | steadied | pulsating precision | recall | F1 | calibration error | temperature |
|---|---:|---:|---:|---:|---:|---:|---:|
{kinds}
"""


def put_in_card(card, section, sha256=None):
    """Put the section into a model's card, in place of the one it may have.

    Parameters
    ----------
    card : path-like
        Markdown file.
    section : str
        Markdown that begins with its heading and has no other heading of that rank.
    sha256 : str, optional
        Of the model that was measured; a card that names another is refused.

    Raises
    ------
    UsageError
        If the card cannot be read, or is another model's.
    """
    card = Path(card)
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{card}: cannot be read as a card: {error}") from None
    named = re.search(r"sha256 `([0-9a-f]{64})`", text)
    if sha256 and named and named[1] != sha256:
        raise UsageError(
            f"{card}: is the card of model {named[1][:8]}, the one measured is {sha256[:8]}; name that one's "
            "card, or measure that model with --model"
        )
    # From the heading to the next of its rank or higher, or to the end.
    heading = section.partition("\n")[0]
    old = re.compile(rf"^{re.escape(heading)}\n.*?(?=^\#{{1,2}} |\Z)", re.MULTILINE | re.DOTALL)
    match = old.search(text)
    if match:
        rest = text[match.end() :]
        text = text[: match.start()] + section + ("\n" + rest if rest else "")
    else:
        text = text.rstrip("\n") + "\n\n" + section
    with whole_file(card) as passing:
        passing.write_text(text, encoding="utf-8")


def _identity(content):
    return (
        f"- sha256 `{hashlib.sha256(content).hexdigest()}`\n"
        f"- pulsaurora {__version__}, feature version {FEATURE_VERSION}, window {WINDOW_S:.0f} s"
    )


def _by_date(nights):
    sites = {}
    for night in sorted(nights, key=lambda night: (night.date, night.site)):
        sites.setdefault(night.date, []).append(night.site)
    return "; ".join(f"{date} {' '.join(each)}" for date, each in sites.items())
