"""Claims in an output folder: one holder at a time, whatever is killed, moved or late."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from killed import ROOT, finish, wait_until

from pulsaurora.archive import claims as module
from pulsaurora.archive.claims import STALE_S, Claims, Holder


def program(code, *arguments):
    """A Python of its own that has `Claims` and is given arguments."""
    code = f"import sys, time\nfrom pulsaurora.archive.claims import Claims\n{code}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture
def elsewhere(tmp_path):
    """Make a claim of another machine, touched some seconds ago."""
    folder = Claims(tmp_path).folder
    folder.mkdir(parents=True)

    def make(name, ago_s=0.0):
        holder = replace(Holder.new(), host="elsewhere", machine="another boot", id=f"id{name}")
        (folder / f"{name}.claim").write_text(json.dumps(asdict(holder)))
        os.utime(folder / f"{name}.claim", (time.time() - ago_s,) * 2)
        return holder

    return make


def test_a_process_that_is_hidden_is_taken_as_working_while_it_touches(elsewhere, tmp_path, monkeypatch):
    """Another user's, where /proc is mounted with hidepid: it looks as if there were none."""
    claims = Claims(tmp_path)
    holder = elsewhere("night")
    path = claims.folder / "night.claim"
    hidden = replace(holder, machine=module._machine(), pid=os.getppid(), born="1")
    path.write_text(json.dumps(asdict(hidden)))
    if module._machine():
        assert not hidden.is_alive(path)  # seen, and another process by now
    monkeypatch.setattr(module, "_born", lambda pid: None)
    assert hidden.is_alive(path)
    assert not hidden.is_alive(path, time.time() + STALE_S + 60)
    gone = finish(process := subprocess.Popen([sys.executable, "-c", ""], stdout=-1, stderr=-1, text=True))
    assert gone[0] == 0 and not replace(hidden, pid=process.pid).is_alive(path)


def test_a_claim_from_before_the_clock_was_set_back_is_not_held_for_good(elsewhere, tmp_path):
    holder = elsewhere("night", ago_s=-86400.0)
    assert not holder.is_alive(Claims(tmp_path).folder / "night.claim")
    with Claims(tmp_path).hold("night") as other:
        assert other is None


def left(out):
    return sorted(path.name for path in out.rglob("*"))


def test_a_name_has_one_holder_and_leaves_no_trace(tmp_path):
    claims = Claims(tmp_path)
    with claims.hold("night") as other:
        assert other is None
        assert claims.holder("night").pid == os.getpid()
        with claims.hold("night") as second:
            assert (second.pid, second.host) == (os.getpid(), claims.holder("night").host)
        with claims.hold("another") as third:
            assert third is None
        assert [name for name, _, _ in claims.held()] == ["night"]
    assert claims.holder("night") is None
    with pytest.raises(ValueError, match="in the block"), claims.hold("night"):
        raise ValueError("in the block")
    claims.tidy()
    assert left(tmp_path) == []


def test_programs_that_wait_for_a_claim_take_turns(tmp_path):
    count = tmp_path / "count"
    count.write_text("0")
    code = (
        "for _ in range(20):\n"
        "    with Claims(sys.argv[1]).wait('count'):\n"
        "        number = int(open(sys.argv[2]).read())\n"
        "        time.sleep(0.001)\n"
        "        open(sys.argv[2], 'w').write(str(number + 1))\n"
    )
    for one in [program(code, tmp_path / "out", count) for _ in range(3)]:
        assert finish(one) == (0, "", "")
    assert count.read_text() == "60"


def test_what_a_killed_program_held_is_free_at_once(tmp_path):
    code = "with Claims(sys.argv[1]).hold('night'):\n    print('held', flush=True)\n    time.sleep(60)"
    for _ in range(3):  # what succeeded a dead claim dies as well
        holding = program(code, tmp_path)
        assert holding.stdout.readline() == "held\n"
        claims = Claims(tmp_path)
        assert claims.holder("night").pid == holding.pid
        with claims.hold("night") as other:
            assert other.pid == holding.pid
        holding.send_signal(signal.SIGKILL)
        finish(holding)
        assert claims.holder("night") is None
    assert len(left(claims.folder)) == 3
    with claims.hold("night") as other:
        assert other is None
        assert len(left(claims.folder)) == 4
    assert left(claims.folder) == []


def test_many_programs_find_one_dead_claim_and_one_takes_it(tmp_path, elsewhere):
    elsewhere("night", STALE_S + 60)
    code = (
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "with Claims(sys.argv[1]).hold('night') as other:\n"
        "    print('mine' if other is None else 'taken', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    code = f"import sys\nfrom pulsaurora.archive.claims import Claims\n{code}"
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    for step, expected in (("ready", ["ready\n"] * 4), ("said", ["mine\n"] + ["taken\n"] * 3)):
        assert sorted(one.stdout.readline() for one in programs) == expected, step
        for one in programs:
            one.stdin.write("on\n")
            one.stdin.flush()
    assert [one.wait(60) for one in programs] == [0] * 4
    for one in programs:
        one.stdin.close()
        one.stdout.close()
    Claims(tmp_path).tidy()
    assert left(tmp_path) == []


def test_a_claim_of_another_machine_counts_as_long_as_it_is_touched(tmp_path, elsewhere):
    claims = Claims(tmp_path)
    holder = elsewhere("night", STALE_S - 60)
    with claims.hold("night") as other:
        assert other == holder
    assert str(other) == f"process {os.getpid()} on elsewhere"
    elsewhere("night", STALE_S + 60)
    assert claims.holder("night") is None
    with claims.hold("night") as other:
        assert other is None


def test_a_claim_is_touched_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    claims = Claims(tmp_path)
    with claims.hold("night"):
        ((_, _, path),) = claims.held()
        os.utime(path, (0, 0))
        wait_until(lambda: path.stat().st_mtime > 0)
    wait_until(lambda: claims._beating is None)


def test_what_ended_while_it_was_found_dead_is_not_taken_over(tmp_path, elsewhere, monkeypatch):
    """Another succeeds the dead claim, does the night, and a third claims it, all while we look."""
    late, other, third = Claims(tmp_path), Claims(tmp_path), Claims(tmp_path)
    elsewhere("night", STALE_S + 60)
    link, held = module._link, third.hold("night")

    def slow(passing, path):
        monkeypatch.setattr(module, "_link", link)
        with other.hold("night") as holder:
            assert holder is None
        assert held.__enter__() is None
        return link(passing, path)

    monkeypatch.setattr(module, "_link", slow)
    with late.hold("night") as holder:
        assert holder == third.holder("night")
        assert left(late.folder) == ["night.claim"]
    held.__exit__(None, None, None)
    assert left(late.folder) == []


def test_who_stood_still_and_was_succeeded_leaves_the_other_its_claim(tmp_path, elsewhere, caplog):
    slow, other = Claims(tmp_path), Claims(tmp_path)
    with slow.hold("night"):
        ((_, holder, path),) = slow.held()
        # As another machine sees it, which cannot ask for our process.
        moved = replace(holder, machine="another boot")
        path.write_text(json.dumps(asdict(moved)))
        slow._held[holder.id] = path
        os.utime(path, (0, 0))
        held = other.hold("night")
        assert held.__enter__() is None
        path.write_text(json.dumps(asdict(holder)))
    assert "taken over by another" in caplog.text
    assert other.holder("night") is not None
    held.__exit__(None, None, None)
    assert left(other.folder) == []


def test_without_hard_links_claims_work_as_well(tmp_path, monkeypatch):
    def refused(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    claims = Claims(tmp_path)
    with claims.hold("night") as other, claims.hold("night") as second:
        assert other is None and second.pid == os.getpid()
    assert left(claims.folder) == []


def test_a_claim_that_was_cut_is_dead_when_it_is_old(tmp_path):
    claims = Claims(tmp_path)
    claims.folder.mkdir(parents=True)
    (claims.folder / "night.claim").touch()
    with claims.hold("night") as other:
        assert other.host == "an unknown machine"
    os.utime(claims.folder / "night.claim", (0, 0))
    with claims.hold("night") as other:
        assert other is None
    assert left(claims.folder) == []


def test_a_claim_that_was_killed_as_it_was_written_is_cleared_away(tmp_path, monkeypatch):
    claims, other = Claims(tmp_path), Claims(tmp_path)
    claims.folder.mkdir(parents=True)
    (claims.folder / ".0123456789abcdef").touch()
    claims.tidy()
    assert left(tmp_path) == []

    # If its writer lives after all, it begins again.
    current = Claims._current

    def cleared(self, name):
        if self is claims:
            monkeypatch.setattr(Claims, "_current", current)
            for path in self.folder.iterdir():
                path.write_text("")
            other.tidy()
        return current(self, name)

    monkeypatch.setattr(Claims, "_current", cleared)
    with claims.hold("night") as holder:
        assert holder is None and claims.holder("night").pid == os.getpid()


def test_a_folder_that_others_remove_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    claims, make, calls = Claims(tmp_path), os.mkdir, []

    def late(path, *args):
        if Path(path) == claims.folder and len(calls) < 4:
            calls.append(path)
            if len(calls) < 4:  # the folder above, which was made just before
                Claims(tmp_path).tidy()
            else:  # it was made by another, and is removed before it is looked at
                raise FileExistsError(path)
        return make(path, *args)

    monkeypatch.setattr(os, "mkdir", late)
    with claims.hold("night") as holder:
        assert holder is None
    assert len(calls) == 4


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), Claims(tmp_path / "file").hold("night"):
        pass
