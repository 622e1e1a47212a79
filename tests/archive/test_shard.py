"""Shards: every night in one of them, evenly, and in the same one whatever else the archive holds."""

import datetime
from collections import Counter

import pytest
import synthetic

from pulsaurora.archive.layout import find_nights
from pulsaurora.archive.problem_table import read_rows, update_problems
from pulsaurora.archive.shard import Shard, parse_shard
from pulsaurora.problems import Problem, UsageError

SITES = [
    *("atha", "chbg", "ekat", "fsim", "fsmi", "fykn", "gako", "gbay", "gill", "inuv"),
    *("kapu", "kian", "kuuj", "mcgr", "pgeo", "pina", "rank", "snkq", "tpas", "whit"),
]
FIRST = datetime.date(2013, 11, 1)
WINTER = [(site, FIRST + datetime.timedelta(day)) for site in SITES for day in range(150)]


@pytest.mark.parametrize("of", [1, 3, 8, 64])
def test_each_night_is_in_one_shard_and_shards_are_alike(of):
    shards = [Shard(number, of) for number in range(1, of + 1)]
    taken = [[shard.number for shard in shards if shard.takes(*night)] for night in WINTER]
    assert all(len(numbers) == 1 for numbers in taken)
    sizes = Counter(numbers[0] for numbers in taken)
    assert len(sizes) == of
    assert max(sizes.values()) <= 1.12 * len(WINTER) / of
    # A site's nights differ in length from another's: each shard has some of every site's.
    of_gill = Counter(numbers[0] for night, numbers in zip(WINTER, taken, strict=True) if night[0] == "gill")
    assert max(of_gill.values()) - min(of_gill.values()) <= 1


def test_where_a_night_goes_is_known_for_good():
    # Another answer would have machines do each other's nights once they are brought up to date.
    date = datetime.date(2014, 3, 10)
    assert [site for site in SITES if Shard(3, 8).takes(site, date)] == ["fsmi", "gako", "kapu"]


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "3/0", "a/b", "-1/8", "3/8/1", "1/9999999"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="write it as 3/8"):
        parse_shard(text)


def test_a_shard_is_read_and_written():
    assert parse_shard(" 3/8 ") == (3, 8) and str(Shard(3, 8)) == "3/8" and parse_shard(None) is None


def test_the_folders_of_other_shards_are_not_looked_into(tmp_path):
    for site in SITES[:6]:
        path = synthetic.minute_path(tmp_path, site=site)
        path.parent.mkdir(parents=True)
        path.touch()
        path.with_name("notes.txt").touch()
    date = datetime.date(2014, 3, 10)
    found = [find_nights(tmp_path, date, date, shard=Shard(number, 4)) for number in (1, 2, 3, 4)]
    assert sorted(night.site for nights, _ in found for night in nights) == SITES[:6]
    for nights, problems in found:
        assert len(problems) == len(nights)


def test_a_shard_leaves_the_problems_that_others_listed(tmp_path):
    dates = FIRST, FIRST + datetime.timedelta(3)

    def problem(path):
        return Problem(path, "passed over"), ""

    paths = [f"/a/{date:%Y/%m/%d}/{site}_themis19/x" for site in SITES[:4] for date in dates]
    paths += [f"/a/{date:%Y/%m/%d}/nonsense" for date in dates]
    paths += ["/a/gill/2013-11-01/x", "/a/2013/20131102/x", "/a/all-images-2013-11-02-gill.h5"]
    update_problems(tmp_path, [problem(path) for path in paths], [], "/a", *dates)
    assert sorted(row[0] for row in read_rows(tmp_path / "problems.csv")) == sorted(paths)
    left = set(paths)
    for number in (1, 2, 3):
        update_problems(tmp_path, [], [], "/a", *dates, None, Shard(number, 3))
        after = {row[0] for row in read_rows(tmp_path / "problems.csv")}
        assert after < left  # some went, and those of other shards stayed
        left = after
    assert not left
