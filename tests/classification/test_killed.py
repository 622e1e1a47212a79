"""Batches that are killed, stopped, or share a folder; tests/judge_kills.py does more of the same."""

import json
import os
import re
import signal
import time
from pathlib import Path

import killed
import numpy as np
import pytest
import tinymodel

from pulsaurora.archive.claims import Claims

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Arguments of a batch over eight nights, and what it leaves when nothing disturbs it."""
    folder = tmp_path_factory.mktemp("batch")
    stream0 = killed.make_archive(folder / "stream0")
    model = tinymodel.save(tinymodel.features_proto(), folder / "tiny.onnx")
    arguments = ["--stream0", str(stream0), "--model", str(model), "--workers", "1"]
    status, out, error = killed.finish(killed.start_batch(folder / "out", *arguments))
    assert status == 3 and "nights: 8 done" in out, error
    return arguments, killed.tree(folder / "out")


@pytest.fixture(autouse=True)
def ended():
    yield
    killed.end_all()


def nights(folder):
    return sorted(path.name for path in Path(folder).rglob("*_classifications.txt"))


def claimed(out):
    return [name for name, _, _ in Claims(out).held() if "_classifications" in name]


def test_a_batch_that_is_killed_at_random_ends_as_an_undisturbed_one(batch, tmp_path):
    arguments, expected = batch
    rng = np.random.default_rng(1)
    n_ended, seconds = killed.kill_again_and_again(
        tmp_path / "out", 5, rng, ["classify", *arguments], expected
    )
    assert n_ended >= 1 and len(seconds) == 5
    # Eight nights of two files, both tables, and nothing else.
    assert len(expected) == 18 and {"manifest.csv", "problems.csv"} < set(expected)


@pytest.mark.parametrize(("how", "status"), [("INT", 130), ("TERM", 143)])
def test_a_batch_that_is_stopped_leaves_whole_nights_only_and_says_how_to_go_on(how, status, batch, tmp_path):
    arguments, expected = batch
    out = tmp_path / "out"
    process = killed.start_batch(out, *arguments)
    killed.wait_until(lambda: nights(out) and claimed(out), process)
    process.send_signal(getattr(signal, f"SIG{how}"))
    returned, _, error = killed.finish(process)
    assert returned == status, error
    assert f"stopped; what is done is under {out}, and the same command goes on from there" in error
    left = killed.tree(out)
    done = nights(out)
    assert 0 < len(done) < 8
    files = {path for path in left if path not in ("manifest.csv", "problems.csv")}
    assert files == {name for name in expected if any(night[:22] in name for night in done)}
    assert all(left[name] == expected[name] for name in files)  # no claim, no stray file, no half night
    (log,) = (tmp_path / "logs").glob("*_classify_*.log")
    assert "goes on from there" in log.read_text()
    assert killed.finish(killed.start_batch(out, *arguments))[0] == 3
    assert killed.tree(out) == expected


def test_two_batches_at_once_do_each_night_once(batch, tmp_path):
    arguments, expected = batch
    out = tmp_path / "out"
    both = [killed.start_batch(out, *arguments, PULSAURORA_LOGS=str(tmp_path / f"{n}")) for n in (1, 2)]
    ends = [killed.finish(one) for one in both]
    assert [status for status, _, _ in ends] == [3, 3], ends
    logs = [next((tmp_path / f"{n}").iterdir()).read_text() for n in (1, 2)]
    n_done = [len(re.findall(r"themis19: 99 frames", log)) for log in logs]
    assert sum(n_done) == 8
    # Both end when all is done, and know of everything that is wrong.
    assert all("8 problems, listed in" in error for _, _, error in ends)
    assert killed.tree(out) == expected


def test_a_night_that_others_hold_is_waited_for_and_then_done_if_they_die(batch, tmp_path):
    arguments, expected = batch
    out = tmp_path / "out"
    name = "20140302_gill_themis19_classifications.txt"
    with Claims(out).hold(name):
        process = killed.start_batch(out, *arguments)
        killed.wait_until(lambda: len(nights(out)) == 7, process)
        # Seven are done; of the eighth it is known who has it.
        killed.wait_until(lambda: "waiting" in log_text(tmp_path), process)
        killed.wait_until(lambda: status(out)["nights"]["under_way"] == 1, process)
        assert [claim["pid"] for claim in status(out)["under_way"]] == [os.getpid()]
        assert name not in nights(out)
    assert killed.finish(process)[0] == 3
    assert killed.tree(out) == expected


def test_shards_share_a_batch_with_nothing_between_them(batch, tmp_path):
    arguments, expected = batch
    out, seen = tmp_path / "out", []
    for shard in ("1/3", "2/3", "3/3"):
        before = set(nights(out))
        code, said, error = killed.finish(killed.start_batch(out, *arguments, "--shard", shard))
        assert code == 3, error
        seen.append(len(set(nights(out)) - before))
        assert f"nights: {seen[-1]} done;" in said
    assert sum(seen) == 8 and min(seen) >= 2
    assert killed.tree(out) == expected
    # No night of a shard is nothing wrong: of many machines, some have none.
    code, said, _ = killed.finish(killed.start_batch(out, *arguments, "--shard", "40/64"))
    assert (code, said) == (0, f"nights: none; results under {out}\n")


def test_status_tells_what_a_running_batch_is_at(batch, tmp_path):
    arguments, _ = batch
    out = tmp_path / "out"
    process = killed.start_batch(out, *arguments)
    try:
        killed.wait_until(lambda: nights(out) and claimed(out) and (out / "manifest.csv").exists(), process)
        process.send_signal(signal.SIGSTOP)
        shown = status(out)
    finally:
        process.send_signal(signal.SIGCONT)
    assert killed.finish(process)[0] == 3
    assert sum(shown["nights"].values()) >= 1
    assert {claim["pid"] for claim in shown["under_way"]} == {process.pid}
    assert [run["pid"] for run in shown["runs"]] == [process.pid]
    after = status(out)
    assert after["nights"] == {"done": 8, "failed": 0, "under_way": 0, "to_do": 0}
    assert after["n_frames"] == 8 * 99 == sum(after["counts"].values())
    assert (after["runs"], after["left_s"], after["n_problems"]) == ([], 0.0, 8)


def status(out):
    from pulsaurora.archive.status import read_status

    return json.loads(json.dumps(read_status(out)))


def log_text(folder):
    return "".join(path.read_text() for path in (folder / "logs").glob("*.log"))


def test_the_log_says_each_thing_once(batch, tmp_path):
    arguments, _ = batch
    out = tmp_path / "out"
    began = time.monotonic()
    assert killed.finish(killed.start_batch(out, *arguments))[0] == 3
    took = time.monotonic() - began
    lines = [line.split(" ", 2)[1:] for line in log_text(tmp_path).splitlines()]
    infos = [text for level, text in lines if level == "INFO"]
    warnings = [text for level, text in lines if level == "WARNING"]
    assert len(infos) == 10 and len(lines) == 18
    assert infos[0].startswith(f"classify {killed.START} to {killed.END}: of ")
    for text in infos[1:-1]:
        assert " 99 frames (" in text and " frames/s, 1 problems" in text
    assert infos[-1].startswith("nights: 8 done; 792 frames (") and infos[-1].endswith("; 8 problems")
    assert len(set(warnings)) == 8 and all("_0604_" in text and "frame 19" in text for text in warnings)
    assert float(infos[-1].split(" s, ")[0].rpartition(" ")[2]) < took
