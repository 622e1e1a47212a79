"""Judge a model on a synthetic sky: scores, confusers, calibration and honesty, printed as measured.

What judge_second_sky.py and judge_third_sky.py share. Every frame of every clip counts,
those at its ends too. The same arguments give the same figures.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pulsaurora import classify_frames
from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.problems import ContractError, UnreadableFileError

_MODELS = {}


@dataclass(frozen=True)
class Sky:
    """Where clips to judge on come from.

    scenes : scene -> label
    confusers : those scenes that move or flash and do not pulsate
    unsure : scenes unlike any sky, for which no label is right
    make : (scene, seed) -> clip, a dict of images, times, labels, perhaps `sure` (bool of each
        frame: whether people would agree on its label), latitude and longitude; a function of
        a module, for it is sent to other processes
    """

    scenes: dict
    confusers: tuple
    unsure: tuple
    make: Callable


def judge_clip(task):
    """Classify one clip; return its scene, labels, probabilities and which frames are sure."""
    make, scene, seed, model, tell_position = task
    if model not in _MODELS:
        _MODELS[model] = load_model(model)
    clip = make(scene, seed)
    place = {name: clip[name] for name in ("latitude", "longitude") if tell_position and name in clip}
    table = classify_frames(clip["images"], clip["times"], model=_MODELS[model], **place)
    sure = clip.get("sure", np.ones(len(table), bool))
    return scene, clip["labels"], table[list(CLASSES)].to_numpy(), sure


def judge(sky, model=None, n_clips=4, first_seed=1000, tell_position=True, report=None):
    """Classify `n_clips` clips of every scene in two processes; yield what judge_clip returns."""
    tasks = [
        (sky.make, scene, first_seed + k, model, tell_position)
        for scene in (*sky.scenes, *sky.unsure)
        for k in range(n_clips)
    ]
    context = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
    with context.Pool(2) as pool:
        for done, result in enumerate(pool.imap(judge_clip, tasks), 1):
            if report:
                report(done, len(tasks))
            yield result


def summarise(sky, results):
    """Scores of (scene, labels, probabilities, sure) results, as plain numbers."""
    by_scene = {}
    for scene, *clip in results:
        by_scene.setdefault(scene, []).append(clip)
    by_scene = {
        scene: tuple(np.concatenate(part) for part in zip(*clips, strict=True))
        for scene, clips in by_scene.items()
    }
    known = {scene: frames for scene, frames in by_scene.items() if scene in sky.scenes}
    truth, probabilities, sure = (np.concatenate(part) for part in zip(*known.values(), strict=True))
    said = probabilities.argmax(1)
    scores = score_labels(truth, said)

    def pulsating_rate(scene):
        return float(np.mean(by_scene[scene][1].argmax(1) == PULSATING))

    def top(scene):
        return float(by_scene[scene][1].max(1).mean())

    confusers = [scene for scene in sky.confusers if scene in by_scene]
    unsure = [scene for scene in sky.unsure if scene in by_scene]
    summary = {
        "n_frames": int(truth.size),
        "scores": scores,
        "macro_f1": scores.macro_f1,
        "pulsating_precision": float(scores.precision[PULSATING]),
        "pulsating_recall": float(scores.recall[PULSATING]),
        "calibration_error": calibration_error(truth, probabilities),
        "mean_top_probability": float(probabilities.max(1).mean()),
        "recall": {scene: float(np.mean(p.argmax(1) == t)) for scene, (t, p, _sure) in known.items()},
        "said": {
            scene: np.bincount(p.argmax(1), minlength=len(CLASSES)) / len(p)
            for scene, (_t, p, _sure) in by_scene.items()
        },
        "confusers": {scene: pulsating_rate(scene) for scene in confusers},
        "confusers_pulsating": float(
            np.mean(np.concatenate([by_scene[scene][1].argmax(1) == PULSATING for scene in confusers]))
        )
        if confusers
        else None,
        "unsure": {scene: top(scene) for scene in unsure},
        "unsure_top_probability": float(
            np.mean(np.concatenate([by_scene[scene][1].max(1) for scene in unsure]))
        )
        if unsure
        else None,
        "unsure_pulsating": {scene: pulsating_rate(scene) for scene in unsure},
    }
    if not sure.all():
        summary["n_sure_frames"] = int(sure.sum())
        summary["sure_scores"] = score_labels(truth[sure], said[sure])
        summary["sure_part"] = {scene: float(s.mean()) for scene, (_t, _p, s) in known.items()}
    return summary


def describe(sky, summary):
    """The summary as text."""
    lines = [
        f"{summary['n_frames']} frames of {len(summary['recall'])} scenes",
        "",
        summary["scores"].markdown(),
        "",
        f"macro F1             {summary['macro_f1']:.4f}",
        f"pulsating precision  {summary['pulsating_precision']:.4f}",
        f"pulsating recall     {summary['pulsating_recall']:.4f}",
        f"calibration error    {summary['calibration_error']:.4f} (top class, 15 bins)",
        f"mean top probability {summary['mean_top_probability']:.4f}",
    ]
    sure_part = summary.get("sure_part", {})
    if sure_part:
        scores = summary["sure_scores"]
        lines += [
            "",
            f"{summary['n_sure_frames']} frames on whose label people would agree",
            "",
            scores.markdown(),
            "",
            f"macro F1             {scores.macro_f1:.4f}",
            f"pulsating precision  {scores.precision[PULSATING]:.4f}",
            f"pulsating recall     {scores.recall[PULSATING]:.4f}",
        ]
    lines += ["", f"{'scene':24s} {'class':13s} recall   said: " + "  ".join(CLASSES)]
    for scene, recall in summary["recall"].items():
        said = "  ".join(
            f"{part:{len(name)}.3f}" for part, name in zip(summary["said"][scene], CLASSES, strict=True)
        )
        line = f"{scene:24s} {CLASSES[sky.scenes[scene]]:13s} {recall:.3f}          {said}"
        if sure_part.get(scene, 1) < 1:
            line += f"  sure: {sure_part[scene]:.2f} of frames"
        lines.append(line)
    if summary["confusers"]:
        lines += ["", f"confusers called pulsating: {summary['confusers_pulsating']:.4f} of frames"]
        lines += [f"    {scene:24s} {rate:.4f}" for scene, rate in summary["confusers"].items()]
    if summary["unsure"]:
        lines += ["", f"unlike any sky: mean top probability {summary['unsure_top_probability']:.4f}"]
        lines += [
            f"    {scene:24s} {top:.4f}, called pulsating {summary['unsure_pulsating'][scene]:.4f}"
            for scene, top in summary["unsure"].items()
        ]
    return "\n".join(lines)


def _progress(done, total):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{total} clips" + ("\n" if done == total else ""))


def _plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else vars(value)


def main(sky, description, has_places=False):
    """The command of one sky; `has_places` when its clips tell where they are."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--model", help="ONNX file; the embedded model when not given")
    parser.add_argument("--clips", type=int, default=4, help="clips of 60 frames a scene")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first clip")
    if has_places:
        parser.add_argument(
            "--no-position", action="store_true", help="do not tell the model where the sun and moon are"
        )
    parser.add_argument("--json", help="write the figures there too")
    arguments = parser.parse_args()
    if arguments.clips < 1:
        parser.error("--clips: at least 1")
    try:
        load_model(arguments.model)
    except (ContractError, UnreadableFileError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    tell_position = has_places and not arguments.no_position
    results = judge(sky, arguments.model, arguments.clips, arguments.seed, tell_position, _progress)
    summary = summarise(sky, results)
    sys.stdout.write(describe(sky, summary) + "\n")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(summary, file, default=_plain, indent=1)
    return 0
