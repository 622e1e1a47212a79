"""Inflating: whole files, streams that break, end early, lie or never end."""

import bz2
import gzip
import os
import struct
import threading
import tracemalloc

import naive
import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora._core import _pgm
from pulsaurora.imaging import inflate
from pulsaurora.problems import UnreadableFileError

# Two frames that compress to 40 kB, so that the oracle may take them a byte at a time.
PLAIN = synthetic.minute(synthetic.pixels(2) // 64 * 64)
GZIPPED = gzip.compress(PLAIN, 6)


def test_whole_files():
    for data in (PLAIN, GZIPPED, gzip.compress(PLAIN, 1), bz2.compress(PLAIN)):
        inflated, complaint = inflate.inflate(data)
        assert inflated == PLAIN and complaint is None


def test_gzip_cut_anywhere_gives_what_comes_before_the_cut():
    full = naive.inflated_as_far_as_it_goes(GZIPPED)
    assert full == PLAIN
    for cut in [*range(2, 40), *range(40, len(GZIPPED), 997), *range(len(GZIPPED) - 12, len(GZIPPED))]:
        inflated, complaint = inflate.inflate(GZIPPED[:cut])
        assert "gzip stream ends early" in complaint
        assert inflated == naive.inflated_as_far_as_it_goes(GZIPPED[:cut]), cut


def test_gzip_broken_anywhere_gives_what_comes_before_the_break():
    rng = np.random.default_rng(5)
    for at in rng.integers(20, len(GZIPPED) - 8, 12):
        data = bytearray(GZIPPED)
        data[at] ^= 1 << rng.integers(8)
        inflated, complaint = inflate.inflate(bytes(data))
        assert complaint is not None
        assert inflated == naive.inflated_as_far_as_it_goes(bytes(data)), at


def test_wrong_checksum_keeps_everything_and_says_so():
    data = GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:]
    inflated, complaint = inflate.inflate(data)
    assert inflated == PLAIN and "incorrect data check" in complaint


@pytest.mark.parametrize("claim", [0, 1, len(PLAIN) - 1, len(PLAIN) + 1, 2**26, 2**26 + 1, 2**32 - 1])
def test_wrong_length_in_the_trailer_takes_no_memory(claim):
    data = GZIPPED[:-4] + struct.pack("<I", claim)
    tracemalloc.start()
    inflated, complaint = inflate.inflate(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert inflated == PLAIN and "incorrect length check" in complaint
    assert peak < 8 * 2**20


def test_several_members_are_joined():
    half = len(PLAIN) // 2
    for parts in ((PLAIN[:half], PLAIN[half:]), (PLAIN[:500], PLAIN[500:]), (PLAIN, b""), (b"", PLAIN)):
        inflated, complaint = inflate.inflate(b"".join(gzip.compress(part) for part in parts))
        assert inflated == PLAIN and complaint is None
    inflated, complaint = inflate.inflate(bz2.compress(PLAIN[:half]) + bz2.compress(PLAIN[half:]))
    assert inflated == PLAIN and complaint is None


def test_what_follows_the_stream():
    assert inflate.inflate(GZIPPED + bytes(600)) == (PLAIN, None)
    inflated, complaint = inflate.inflate(GZIPPED + b"rubbish" * 9)
    assert inflated == PLAIN and complaint == "63 bytes after the end of the gzip stream are ignored"
    inflated, complaint = inflate.inflate(bz2.compress(PLAIN) + b"rubbish")
    assert inflated == PLAIN and complaint == "7 bytes after the end of the bzip2 stream are ignored"
    # A second stream that breaks leaves the first whole.
    inflated, complaint = inflate.inflate(GZIPPED + GZIPPED[:5000])
    assert inflated[: len(PLAIN)] == PLAIN and "ends early" in complaint


def test_bzip2_cut_and_broken():
    data = bz2.compress(PLAIN, 1)
    inflated, complaint = inflate.inflate(data[:-9])
    assert "bzip2 stream ends early" in complaint and PLAIN.startswith(inflated)
    blocks = bz2.compress(synthetic.minute(synthetic.pixels(4)), 1)
    broken = bytearray(blocks)
    broken[len(blocks) // 2] ^= 255
    inflated, complaint = inflate.inflate(bytes(broken))
    assert "bzip2 stream breaks" in complaint
    # Blocks hold 100 kB: those before the broken one are there.
    assert len(inflated) > 150000
    assert inflated[:150000] == synthetic.minute(synthetic.pixels(4))[:150000]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_stream_past_any_sane_size_is_refused_without_its_memory(compress, monkeypatch):
    bomb = compress(bytes(64 * 2**20))
    monkeypatch.setattr(inflate, "LARGEST_BYTES", 2**22)
    tracemalloc.start()
    with pytest.raises(UnreadableFileError, match="minute.pgm: inflates to more than 4194304 bytes"):
        inflate.inflate(bomb, "minute.pgm")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_many_tiny_members_come_to_an_end():
    inflated, complaint = inflate.inflate(gzip.compress(b"") * 3000)
    assert inflated == b"" and "more than 1000 gzip streams" in complaint


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b\x08", b"\x1f\x8b", b"BZh9", b"BZh"]))
def test_any_bytes_give_bytes(data, magic):
    inflated, _ = inflate.inflate(magic + data)
    assert isinstance(inflated, (bytes, bytearray))


@given(st.integers(0, len(GZIPPED) - 1), st.integers(0, 255), st.integers(0, 50))
def test_any_damage_gives_bytes(at, value, n_removed):
    inflated, complaint = inflate.inflate(GZIPPED[:at] + bytes([value]) + GZIPPED[at + n_removed :])
    assert complaint is not None or inflated == PLAIN or at < 10


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    empty = tmp_path / "empty.pgm.gz"
    empty.touch()
    large = tmp_path / "large.pgm"
    large.touch()
    os.truncate(large, inflate.LARGEST_BYTES + 1)
    pipe = tmp_path / "pipe.pgm"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.pgm"
    loop.symlink_to(loop)
    for path, reason in (
        (tmp_path / "none.pgm", "no such file"),
        (tmp_path, "is a folder, expected a file of frames"),
        (empty, "is empty"),
        (large, "has 67108865 bytes, a file of frames has at most 67108864: refused"),
        (pipe, "is not a regular file"),
        (loop, "cannot be read"),
        (f"{tmp_path}/nul\0byte.pgm", "cannot be read"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(UnreadableFileError, match=reason):
            inflate.read_inflated(path)


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "locked.pgm"
    path.write_bytes(b"P5\n")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, whom no file mode stops.
    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(UnreadableFileError, match=r"locked.pgm: cannot be read \(Permission denied\)"):
        inflate.read_inflated(path)


def test_inflating_lets_other_threads_run():
    data = gzip.compress(synthetic.minute(synthetic.pixels(20)), 1)
    done, turns = threading.Event(), []

    def work():
        for _ in range(5):
            inflate.inflate(data)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.0005):
        turns.append(1)
    thread.join()
    assert len(turns) > 5


def test_bytes_that_look_like_another_member_change_nothing():
    noise = np.random.default_rng(5).integers(0, 256, 3000, np.uint8).tobytes()
    content = noise + b"\x1f\x8b\x08\x00" + noise[::-1]  # stored as it is, so the file holds it too
    stored = gzip.compress(content, 0)
    assert _pgm.find_gzip_member(stored, 18) > 0 and inflate._is_one_member(stored, content)
    assert inflate.inflate(stored) == (content, None)
    # The same member twice ends as one does, and is two.
    assert inflate.inflate(stored + stored) == (content + content, None)


@pytest.mark.parametrize("at", [18, 19, 4112, 4113, 4114, 4115, 9996])
def test_a_member_is_found_wherever_it_begins(at):
    data = bytearray(10_000)
    data[at : at + 4] = b"\x1f\x8b\x08\x1f"
    assert _pgm.find_gzip_member(data, 18) == at
    data[at + 3] = 32
    assert _pgm.find_gzip_member(data, 18) == -1
