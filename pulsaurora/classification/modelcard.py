"""The card of a trained features model: what it learned from, how it scored, where it fails."""

import hashlib

import pandas as pd

from pulsaurora import __version__
from pulsaurora.classes import CLASSES, PULSATING
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

- sha256 `{hashlib.sha256(content).hexdigest()}`
- pulsaurora {__version__}, feature version {FEATURE_VERSION}, window {WINDOW_S:.0f} s
- {kind}, averaged, tempered on sites left out (temperature {figures["temperature"]})
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
