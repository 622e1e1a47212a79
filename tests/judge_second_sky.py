"""Judge a model on the second sky: scores, confusers, calibration and honesty, printed as measured.

    python tests/judge_second_sky.py [--model FILE] [--clips N] [--seed K] [--no-position] [--json FILE]

Every frame of every clip counts, those at its ends too. The sun and moon stand
where each clip's place and time put them, and the model is told the place
unless --no-position is given. The same arguments give the same figures.
"""

import argparse
import json
import multiprocessing
import sys
import zlib

import numpy as np
import second_sky
from second_sky import CONFUSERS, SCENES, UNSURE

from pulsaurora import classify_frames
from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.problems import ContractError, UnreadableFileError

_MODELS = {}


def judge_clip(task):
    """Classify one clip; return its scene, labels and probabilities."""
    scene, seed, model, tell_position = task
    if model not in _MODELS:
        _MODELS[model] = load_model(model)
    rng = np.random.default_rng([seed, zlib.crc32(scene.encode()), 7])
    latitude, longitude = rng.uniform(53, 67), rng.uniform(-150, -60)
    clip = second_sky.make_clip(
        scene,
        seed,
        start=second_sky.start_for(scene, seed, latitude, longitude),
        latitude=latitude,
        longitude=longitude,
    )
    place = {"latitude": latitude, "longitude": longitude} if tell_position else {}
    table = classify_frames(clip["images"], clip["times"], model=_MODELS[model], **place)
    return scene, clip["labels"], table[list(CLASSES)].to_numpy()


def judge(model=None, n_clips=4, first_seed=1000, tell_position=True, report=None):
    """Classify `n_clips` clips of every scene in two processes; yield (scene, labels, probabilities)."""
    tasks = [
        (scene, first_seed + k, model, tell_position) for scene in (*SCENES, *UNSURE) for k in range(n_clips)
    ]
    context = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
    with context.Pool(2) as pool:
        for done, result in enumerate(pool.imap(judge_clip, tasks), 1):
            if report:
                report(done, len(tasks))
            yield result


def summarise(results):
    """Scores of (scene, labels, probabilities) results, as plain numbers."""
    by_scene = {}
    for scene, labels, probabilities in results:
        by_scene.setdefault(scene, []).append((labels, probabilities))
    by_scene = {
        scene: tuple(np.concatenate(part) for part in zip(*clips, strict=True))
        for scene, clips in by_scene.items()
    }
    known = [by_scene[scene] for scene in by_scene if scene in SCENES]
    truth, probabilities = (np.concatenate(part) for part in zip(*known, strict=True))
    scores = score_labels(truth, probabilities.argmax(1))

    def pulsating_rate(scene):
        return float(np.mean(by_scene[scene][1].argmax(1) == PULSATING))

    def top(scene):
        return float(by_scene[scene][1].max(1).mean())

    confusers = [scene for scene in CONFUSERS if scene in by_scene]
    unsure = [scene for scene in UNSURE if scene in by_scene]
    return {
        "n_frames": int(truth.size),
        "scores": scores,
        "macro_f1": scores.macro_f1,
        "pulsating_precision": float(scores.precision[PULSATING]),
        "pulsating_recall": float(scores.recall[PULSATING]),
        "calibration_error": calibration_error(truth, probabilities),
        "mean_top_probability": float(probabilities.max(1).mean()),
        "recall": {
            scene: float(np.mean(p.argmax(1) == t)) for scene, (t, p) in by_scene.items() if scene in SCENES
        },
        "said": {
            scene: np.bincount(p.argmax(1), minlength=len(CLASSES)) / len(p)
            for scene, (_t, p) in by_scene.items()
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


def describe(summary):
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
        "",
        f"{'scene':24s} {'class':13s} recall   said: " + "  ".join(CLASSES),
    ]
    for scene, recall in summary["recall"].items():
        said = "  ".join(
            f"{part:{len(name)}.3f}" for part, name in zip(summary["said"][scene], CLASSES, strict=True)
        )
        lines.append(f"{scene:24s} {CLASSES[SCENES[scene]]:13s} {recall:.3f}          {said}")
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="ONNX file; the embedded model when not given")
    parser.add_argument("--clips", type=int, default=4, help="clips of 60 frames a scene")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first clip")
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
    summary = summarise(
        judge(arguments.model, arguments.clips, arguments.seed, not arguments.no_position, _progress)
    )
    sys.stdout.write(describe(summary) + "\n")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(summary, file, default=_plain, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
