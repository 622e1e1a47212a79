"""Judge whether batches survive being killed: killed at random moments and started again, byte by byte.

    python tests/judge_kills.py [--kills N] [--seed K] [--model FILE]

For each kind of batch (stream0 by one program and by two at once, day files, PFRR images, events) a small
archive is made and worked on once undisturbed. Then the command is started, sent SIGKILL at a random moment
and started again, N times in all (20 unless told otherwise), and at last left alone. Whenever a run comes to
its end, what lies in the output folder - every file, hidden ones too - must be byte for byte what the
undisturbed run left, but for the line that tells when a file was made. It takes some minutes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import fitswriter
import killed
import numpy as np
import tinymodel


def kinds(folder, model):
    """Name, arguments of the command, and how many programs work at once, of each kind of batch."""
    stream0, days, pfrr = folder / "stream0", folder / "days", folder / "pfrr"
    killed.make_archive(stream0)
    status, _, error = killed.finish(
        killed.start_batch(days, "--stream0", str(stream0), "--raw16", command="pack themis")
    )
    if status != 3:
        raise SystemExit(f"packing failed: {error}")
    for day in ("20140301", "20140302", "20140303"):
        for wavelength in ("428", "558"):
            for i in range(30):
                clock = f"08{12 * i // 60:02d}{12 * i % 60:02d}.743"
                pixels = fitswriter.counts(seed=i)
                fitswriter.write(pfrr / day[:4] / day, clock, wavelength, day=day, pixels=pixels)
            (pfrr / day[:4] / day / fitswriter.name_of("093000.000", wavelength, day)).touch()
    classify = ["classify", "--model", str(model)]
    yield "stream0", [*classify, "--stream0", str(stream0)], 1
    yield "stream0, two programs at once", [*classify, "--stream0", str(stream0)], 2
    yield "day files", [*classify, "--dayfiles", str(days)], 1
    yield "PFRR images", [*classify, "--pfrr", str(pfrr)], 1
    yield "events", ["events", "--stream0", str(stream0)], 1


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="ONNX model; one made up for tests when not given")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = options.model or tinymodel.save(tinymodel.features_proto(), folder / "tiny.onnx")
        for name, (command, *rest), at_once in kinds(folder, model):
            out = folder / "undisturbed"
            status, _, error = killed.finish(killed.start_batch(out, *rest, command=command))
            if status != 3:
                raise SystemExit(f"{name}: the undisturbed batch ended with {status}: {error}")
            expected = killed.tree(out)
            out.rename(folder / f"undisturbed {name}")
            n_ended, seconds = killed.kill_again_and_again(
                folder / "killed", options.kills, rng, [command, *rest], expected, at_once
            )
            (folder / "killed").rename(folder / f"killed {name}")
            print(
                f"{name}: killed {len(seconds)} times, {min(seconds):.3f} to {max(seconds):.3f} s into the "
                f"work; {n_ended} batches came to their end, each with the {len(expected)} files of the "
                "undisturbed one",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
