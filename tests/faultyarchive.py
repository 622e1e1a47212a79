"""An archive of several nights with everything wrong in it that archives have, and the truth of it.

The builder notes each good frame (its night, time and number) and what is to be told of each file while it
writes it. Numbers count up as frames are made, and a frame of a higher number has a brighter sky: whoever has
read the frames shows by their brightness which ones they are. Nothing of the library is used.
"""

import bz2
import gzip
import os
import shutil

import naive
import numpy as np
import savwriter
import synthetic

FRAME = synthetic.FRAME_BYTES
_SKY = np.hypot(*(np.mgrid[:256, :256] - 127.5)) < 120


def gzip_1(data):
    """Gzip as the archive does, quickly, and the same each time."""
    return gzip.compress(data, 1, mtime=0)


def whole_frames_of(data):
    """How many whole frames the beginning of a file holds."""
    return len(naive.pgm_frames(data))


class FaultyArchive:
    """Builds the archive under a folder.

    Attributes
    ----------
    truth : dict
        (date, site, imager) -> {time: number} of the frames that can be read.
    told : dict of str to list of (str, int)
        Path under the root -> what is to be said of it and how many good frames it gave.
    silent : set of str
        Paths under the root that nothing is to be said of, though nothing is read from them.
    """

    def __init__(self, root):
        self.root = root
        self.truth, self.told, self.silent = {}, {}, set()
        self._n_made = 0
        self._base = synthetic.pixels(1)[0].astype(int)
        self._gill()
        self._clocks()
        self._other_imager()
        self._early()
        self._training_layout()
        self._hopeless()
        self._company()

    @property
    def n_frames(self):
        return sum(map(len, self.truth.values()))

    # -- the parts that nights are made of ------------------------------------------------------------

    def frames(self, start, n=4, times=None, pedestal=0, **known):
        """`n` new frames from a time on, 3 s apart but for some milliseconds: numbers, times, pieces."""
        if times is None:
            late_ms = (np.arange(n) * 37 + self._n_made * 11) % 60
            times = synthetic.frame_times(n, f"{start}:00.063119") + late_ms * np.timedelta64(1, "ms")
        numbers = list(range(self._n_made, self._n_made + len(times)))
        self._n_made += len(times)
        lit = _SKY & (self._base < 60000)
        images = [
            np.where(self._base < 60000, self._base - pedestal, 65535) + 5 * number * lit
            for number in numbers
        ]
        return numbers, list(times), synthetic.pieces(images, times, **known)

    def write(
        self, start, data, *, site="gill", imager="themis19", suffix=".pgm.gz", to=None, tell=None, kept=0
    ):
        """Write the bytes of a minute's file, and note what is to be said of it."""
        path = to or synthetic.minute_path(self.root, start, site, imager, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if tell:
            self.tell(path, tell, kept)
        return path

    def tell(self, path, reason, kept=0):
        self.told.setdefault(path.relative_to(self.root).as_posix(), []).append((reason, kept))

    def note(self, start, numbers, times, keep=None, *, site="gill", imager="themis19"):
        """Note the good frames of a minute, all or those of some positions."""
        night = self.truth.setdefault((start[:10], site, imager), {})
        for i in range(len(numbers)) if keep is None else keep:
            assert times[i] not in night
            night[times[i]] = numbers[i]

    def minute(self, start, spoil=None, keep=None, tell=None, pack=gzip_1, n=4, **known):
        """A minute with one fault: `spoil` changes its pieces, `keep` says which frames survive that."""
        place = {name: known.pop(name) for name in ("site", "imager") if name in known}
        suffix, to = known.pop("suffix", ".pgm.gz"), known.pop("to", None)
        numbers, times, pieces = self.frames(start, n, **place, **known)
        if spoil:
            pieces = spoil(pieces)
        data = b"".join(part for piece in pieces for part in piece)
        kept = numbers if keep is None else keep
        path = self.write(start, pack(data), suffix=suffix, to=to, tell=tell, kept=len(kept), **place)
        self.note(start, numbers, times, keep, **place)
        return path, data, (numbers, times)

    # -- the nights -----------------------------------------------------------------------------------

    def _gill(self):
        """What files and frames suffer, late in one local night and at the beginning of the next."""
        day = "2014-03-10T"
        self.minute(day + "02:50", n=20)
        self._several_files_of_one_minute(day)
        self._damaged_frames(day)
        self._odd_streams(day)
        self._no_files(day)
        for i, hour in enumerate((22, 23)):
            self.minute(f"{day}{hour}:58", n=20)
            self.minute(f"{day}{hour}:59", n=20 + i)  # the last one is of the next day by its clock

    def _several_files_of_one_minute(self, day):
        path, data, _ = self.minute(day + "02:51")
        self.write(day + "02:51", data, suffix=".pgm")
        for name in (
            f".{path.name}",
            path.name.replace("_full", "_wide"),
            "20140310_02_gill_themis19_full_row2.pgm.gz",
        ):
            shutil.copy(path, path.with_name(name))
            self.silent.add(path.with_name(name).relative_to(self.root).as_posix())
        # Cut, but whole in the other file; and the other way round.
        path, data, _ = self.minute(day + "02:52", n=5)
        self.write(day + "02:52", data, suffix=".pgm")
        cut = gzip_1(data)[:-150_000]
        n_left = whole_frames_of(naive.inflated_as_far_as_it_goes(cut))
        self.write(day + "02:52", cut, tell="gzip stream ends early", kept=n_left)
        _, data, _ = self.minute(day + "02:53")
        self.write(day + "02:53", data[:-9], suffix=".pgm")
        # One half of its frames in each: both files are needed.
        numbers, times, pieces = self.frames(day + "02:54")
        halves = [[(h, p if i % 2 == k else p[:50_000]) for i, (h, p) in enumerate(pieces)] for k in (0, 1)]
        for half, suffix in zip(halves, (".pgm.gz", ".pgm"), strict=True):
            data = b"".join(part for piece in half for part in piece)
            data = gzip_1(data) if suffix == ".pgm.gz" else data
            self.write(day + "02:54", data, suffix=suffix, tell="has 50000 bytes, expected 131072", kept=2)
        self.note(day + "02:54", numbers, times)

    def _damaged_frames(self, day):
        def header(position, old, new):
            def spoil(pieces):
                changed = pieces[position][0].replace(old, new)
                assert changed != pieces[position][0]
                return [*pieces[:position], (changed, pieces[position][1]), *pieces[position + 1 :]]

            return spoil

        def pixels(position, change):
            return lambda all: [(h, change(p) if i == position else p) for i, (h, p) in enumerate(all)]

        for minute, spoil, keep, tell, *n in (
            ("02:55", lambda all: all[:3] + all[4:], [0, 1, 2, 4, 5], None, 6),  # one was skipped
            ("02:56", pixels(3, lambda p: p[:90112]), [0, 1, 2], "frame 3 has 90112 bytes, expected 131072"),
            ("02:57", pixels(1, lambda p: p[:70000]), [0, 2, 3], "frame 1 has 70000 bytes, expected 131072"),
            ("02:58", pixels(0, lambda p: b""), [1, 2, 3], "frame 0 has 0 bytes"),
            ("02:59", pixels(2, lambda p: p + b"rubbish"), None, "7 bytes after frame 2 are no frame"),
            ("03:00", header(1, b"full", b"f\xe9ll"), None, "frame 1 has a header line that is not ASCII"),
            ("03:01", header(2, b"256 256\n65535\n", b""), [0, 1, 3], "the header of frame 2"),
            ("03:02", header(1, b"\n65535", b"\n255"), [0, 2, 3], "frame 1 has largest value 255"),
            ("03:03", header(1, b"256 256", b"512 512"), [0, 2, 3], "frame 1 is 512 x 512 pixels"),
            ("03:04", header(0, b'ID" gill', b'ID" rank'), None, "header says site 'rank'"),
            (
                "03:05",
                lambda all: [*all, (b"P5\n" + all[0][0][3:90], b"")],
                None,
                "ends inside the header of frame 4",
            ),
            ("03:06", lambda all: [(b"\0" * 300, b""), *all], None, "300 bytes before the first header"),
            ("03:07", lambda all: [], [], "holds no frame"),
            ("03:08", lambda all: [(b"<!DOCTYPE html>", b"")], [], "is not a PGM file of frames"),
        ):
            self.minute(day + minute, spoil, keep, tell, n=n[0] if n else 4)
        self.minute(day + "03:09", exposure="Exposure duration plus readout")
        self.minute(day + "03:10", n=25, times=synthetic.frame_times(25, day + "03:10:00.02", 2))
        self.minute(day + "03:11", pedestal=1050)  # that of gako's imager

    def _odd_streams(self, day):
        def wrong_sum(data):
            return gzip_1(data)[:-8] + b"\1\2\3\4" + len(data).to_bytes(4, "little")

        def cut(data):
            return gzip_1(data)[:-100_000]

        for minute, pack, tell, suffix in (
            ("03:20", wrong_sum, "incorrect data check", ".pgm.gz"),
            ("03:21", lambda data: gzip_1(data[:200_000]) + gzip_1(data[200_000:]), None, ".pgm.gz"),
            ("03:22", lambda data: gzip_1(data) + bytes(512), None, ".pgm.gz"),
            (
                "03:23",
                lambda data: gzip_1(data) + b"rubbish",
                "7 bytes after the end of the gzip stream",
                ".pgm.gz",
            ),
            ("03:24", gzip_1, None, ".pgm"),  # not what its name says
            ("03:25", bytes, None, ".pgm.gz"),
            ("03:26", bytes, None, ".pgm"),
        ):
            self.minute(day + minute, tell=tell, pack=pack, suffix=suffix)
        numbers, times, pieces = self.frames(day + "03:27", 6)
        stream = cut(b"".join(part for piece in pieces for part in piece))
        n_left = whole_frames_of(naive.inflated_as_far_as_it_goes(stream))
        assert 2 <= n_left < 6
        self.write(day + "03:27", stream, tell="gzip stream ends early", kept=n_left)
        self.note(day + "03:27", numbers, times, range(n_left))

    def _no_files(self, day):
        """Names of minutes that no file stands under, and hours that are none."""
        night = synthetic.minute_path(self.root, day + "03:00").parent.parent
        for minute, make, tell in (
            ("03:30", lambda path: path.touch(), "is empty (0 bytes)"),
            ("03:31", lambda path: path.mkdir(), "is a folder, expected a file of frames"),
            ("03:32", lambda path: path.symlink_to("gone"), "no such file"),
            ("03:33", lambda path: path.symlink_to(path.name), "cannot be read"),
            ("03:34", os.mkfifo, "is not a regular file"),
            ("03:35", lambda path: (path.touch(), os.truncate(path, 2**30)), "has 1073741824 bytes"),
        ):
            path = synthetic.minute_path(self.root, day + minute)
            make(path)
            self.tell(path, tell)
        (night / "ut05").mkdir()  # ut04 is missing, ut05 is empty
        (night / "ut06").write_text("no folder")
        (night / "ut07").symlink_to("ut07")
        (night / "ut08").symlink_to("../gill_themis19")  # round and round
        for hour in ("ut06", "ut07"):
            self.tell(night / hour, "expected the folder of an hour")

    def _clocks(self):
        """A clock that jumps back within the night, is reset, repeats itself and goes backwards."""
        day = "2014-03-11T"
        self.minute(day + "06:00")
        back = synthetic.frame_times(4, day + "05:20:00.07")
        self.minute(day + "06:01", times=back, tell="far from the file's minute (4 such frames, kept)")
        numbers, _, pieces = self.frames(
            day + "06:02", times=synthetic.frame_times(4, "1970-01-01T00:00:00.5")
        )
        data = b"".join(part for piece in pieces for part in piece)
        self.write(day + "06:02", gzip_1(data), tell="(4 such frames, times estimated)", kept=4)
        self.note(day + "06:02", numbers, list(synthetic.frame_times(4, day + "06:02:00")))
        self.minute(day + "06:03", times=synthetic.frame_times(4, day + "06:03:00.09")[::-1])
        self.minute(day + "06:04", lambda all: [*all, all[-1]], tell="in the same file: dropped")
        # Runs late, into the file of the next minute and out of it again.
        self.minute(day + "06:05", times=synthetic.frame_times(4, day + "06:06:01.03"))
        self.minute(day + "06:06")

        def without_time(pieces):
            h, p = pieces[2]
            return [*pieces[:2], (h.replace(b"Image request start", b"Image request stars"), p), pieces[3]]

        times = synthetic.frame_times(4, day + "06:07:00.01")
        self.minute(day + "06:07", without_time, times=times, tell="frame 2 has no `Image request start`")
        self.minute(day + "09:30", n=6)

    def _other_imager(self):
        """The imager was changed in mid-night; both had a file of one minute."""
        for minute in ("03:27", "03:40", "03:41"):
            self.minute(f"2014-03-10T{minute}", imager="themis07")

    def _early(self):
        """Years of bzip2, an older folder that holds two imagers."""
        folder = self.root / "2006/01/25/atha_themis/ut05"
        for i, imager in enumerate(("themis01", "themis01", "themis02")):
            start = f"2006-01-25T05:1{i}"
            name = f"20060125_051{i}_atha_{imager}_full_1000ms.pgm.bz2"
            self.minute(start, site="atha", imager=imager, to=folder / name, pack=bz2.compress)
        numbers, times, pieces = self.frames("2006-01-25T05:13", site="atha", imager="themis01")
        stream = bz2.compress(b"".join(part for piece in pieces for part in piece), 1)
        stream = stream[: len(stream) * 6 // 10]
        path = folder / "20060125_0513_atha_themis01_full_1000ms.pgm.bz2"
        # Blocks of 100 kB are lost whole: two frames are certain.
        self.write("2006-01-25T05:13", stream, to=path, tell="bzip2 stream ends early", kept=2)
        self.note("2006-01-25T05:13", numbers, times, range(2), site="atha", imager="themis01")

    def _training_layout(self):
        """ROOT/SITE/YYYY-MM-DD/utHH, with skymaps beside the hours: the newest is broken."""
        night = self.root / "rank/2012-02-18"
        for i in range(3):
            name = f"20120218_040{i}_rank_themis18_full.pgm.gz"
            self.minute(f"2012-02-18T04:0{i}", site="rank", imager="themis18", to=night / "ut04" / name)
        path = night / "themis_skymap_rank_20111005-+_v02.sav"
        path.write_bytes(savwriter.skymap_bytes(site="rank")[:200_000])
        self.tell(path, "the sky is where the frames show it")

    def _hopeless(self):
        """A night without one good frame."""
        self.truth["2019-11-13", "snkq", "themis15"] = {}
        for i, (data, tell) in enumerate(
            (
                (b"", "is empty (0 bytes)"),
                (b"\x1f\x8b", "gzip stream ends early"),
                (b"BZh9", "bzip2 stream ends early"),
                (b"\x89PNG\r\n\x1a\n", "is not a PGM file of frames"),
                (b"P5\n", "ends inside the header of frame 0"),
            )
        ):
            self.write(f"2019-11-13T10:0{i}", data, site="snkq", imager="themis15", tell=tell)

    def _company(self):
        """What lies about in archives."""
        hour = self.root / "2014/03/10/gill_themis19/ut03"
        for name, reason in (
            ("notes.txt", "is not a stream0 frame file"),
            ("20140311_0300_gill_themis19_full.pgm.gz", "is of 2014-03-11, lies in a folder of 2014-03-10"),
            ("20140310_0300_rank_themis18_full.pgm.gz", "is of site rank, lies in a folder of gill"),
            ("20140310_2561_gill_themis19_full.pgm.gz", "is not a stream0 frame file"),
            (os.fsdecode(b"caf\xe9.pgm"), "is not a stream0 frame file"),
        ):
            (hour / name).write_bytes(b"x")
            self.told[f"2014/03/10/gill_themis19/ut03/{name}".replace("\udce9", "\\udce9")] = [(reason, 0)]
        (self.root / "2014/03/10/README").write_text("x")
        self.tell(self.root / "2014/03/10/README", "is not named as a night is")
        for silent in (".DS_Store", "2014/.snapshot", "2014/03/10/gill_themis19/themis.log", "index.html"):
            (self.root / silent).write_text("x")
            self.silent.add(silent)
        # Through the link, the night's own folders are found where files of an hour should be.
        for inside in (self.root / "2014/03/10/gill_themis19").iterdir():
            self.tell(inside.parent / "ut08" / inside.name, "is not a stream0 frame file")
