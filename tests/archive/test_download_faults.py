"""Servers that drop, stall, lie and send home pages: what comes is whole, and what does not come is told."""

import re
import socket
import time

import pytest
import servers
from servedtree import a_minute, a_night, files_in, write

from pulsaurora.archive.download import PROBLEMS_NAME, download_pfrr, download_themis
from pulsaurora.archive.transfer.incoming import FOLDER

NIGHT = [("gill", "2014-03-10")]
FOLDER_OF_NIGHT = "2014/03/10/gill_themis19/ut05"
NAME = "20140310_0500_gill_themis19_full.pgm.gz"


@pytest.fixture
def one(tree):
    """The path of a file of 300 kB, the only one of its night."""
    path = f"{FOLDER_OF_NIGHT}/{NAME}"
    write(tree, path, a_minute(NAME, 300_000))
    return path


def fetch(archive, out, **how):
    return download_themis(
        NIGHT, out, archive.base, **{"pauses_s": (0.02, 0.04, 0.06), "timeout_s": 2.0} | how
    )


def reasons(result):
    return [problem.reason for problem in result.problems]


@pytest.mark.parametrize(
    "fault",
    [
        "drop",
        "503",
        "404",
        "home",
        "longer",
        "shorter",
        "stall",
        "chunked",
        "trickle",
        "wrong range",
        "lying range",
    ],
)
def test_a_fault_that_passes_is_survived(fault, web, tree, one, tmp_path):
    web.faults[NAME] = ["drop", fault] if "range" in fault else [fault]
    result = fetch(web, tmp_path / "out", timeout_s=0.4)
    assert not result.problems
    assert files_in(tmp_path / "out") == {one: (tree / one).read_bytes()}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("drop", "expected|bytes read|bytes, "),
        ("503", "the server answers 503"),
        ("404", "the server answers 404"),
        ("home", "holds a web page, expected a gzip file"),
        ("longer", "bytes"),
        ("shorter", "the listing says"),
        ("elsewhere", "elsewhere, to http://192.0.2.1/elsewhere, which is not followed"),
        ("stall", "does not answer in time"),
    ],
)
def test_a_fault_that_stays_is_told_and_leaves_no_file(fault, said, web, tree, tmp_path):
    frames = a_night(tree, hours=(5,), n_minutes=3)
    name = frames[1].rpartition("/")[2]
    web.faults[name] = [f"{fault}*"]
    out = tmp_path / "out"
    result = fetch(web, out, pauses_s=(0.02, 0.02), timeout_s=0.4)
    assert (result.n_came, result.n_failed) == (2, 1)
    assert result.problems[0].path == str(out / frames[1])
    assert re.search(said, result.problems[0].reason), result.problems[0].reason
    here = files_in(out)
    assert frames[1] in here.pop(PROBLEMS_NAME).decode().replace(str(out) + "/", "")
    here = {path: body for path, body in here.items() if FOLDER not in path}
    assert here == {path: (tree / path).read_bytes() for path in frames if path != frames[1]}
    n_asked = sum(asked.name == name and asked.method == "GET" for asked in web.log)
    assert n_asked == (1 if fault == "elsewhere" else 3)

    # And a later run, with the server well again, completes it and takes the table of problems away.
    web.faults.clear()
    assert not fetch(web, out).problems
    assert files_in(out) == {path: (tree / path).read_bytes() for path in frames}


def test_pauses_grow(web, one, tmp_path):
    web.faults[NAME] = ["503*"]
    times = []
    append = web.log.append

    class Log(list):
        def append(self, asked):
            if asked.name == NAME and asked.method == "GET":
                times.append(time.monotonic())
            append(asked)

    web.log = Log()
    fetch(web, tmp_path / "out", pauses_s=(0.05, 0.15, 0.45))
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert len(gaps) == 3
    assert all(gap >= pause for gap, pause in zip(gaps, (0.05, 0.15, 0.45), strict=True))


def test_a_dropped_transfer_goes_on_where_it_broke(web, tree, one, tmp_path):
    web.faults[NAME] = ["drop"]
    assert not fetch(web, tmp_path / "out").problems
    first, second = web.fetched(NAME)
    assert first.start == 0
    assert first.n_bytes - 2048 < second.start < first.n_bytes
    assert second.n_bytes < (tree / one).stat().st_size * 0.6


@pytest.mark.parametrize("fault", ["wrong range", "lying range"])
def test_a_range_that_is_not_the_one_asked_for_starts_over(fault, web, tree, one, tmp_path):
    web.faults[NAME] = ["drop", fault]
    assert not fetch(web, tmp_path / "out").problems
    assert [asked.start > 0 for asked in web.fetched(NAME)] == [False, True, False]
    assert files_in(tmp_path / "out") == {one: (tree / one).read_bytes()}


def test_a_file_that_changes_between_two_attempts_is_not_mixed(web, tree, one, tmp_path):
    web.faults[NAME] = ["drop*"]
    fetch(web, tmp_path / "out", pauses_s=())
    write(tree, one, a_minute("another", 20_000) + a_minute(NAME, 280_000))
    web.faults.clear()
    result = fetch(web, tmp_path / "out")
    assert reasons(result) == ["holds the bytes b'SIMPLE  ', expected a gzip file"]
    write(tree, one, a_minute("another.gz", 300_000))
    assert not fetch(web, tmp_path / "out").problems
    assert files_in(tmp_path / "out") == {one: (tree / one).read_bytes()}


def test_a_server_that_ignores_if_range_is_caught_by_the_bytes_held(web, tree, one, tmp_path, monkeypatch):
    web.faults[NAME] = ["drop*"]
    fetch(web, tmp_path / "out", pauses_s=())
    size, stamp = (tree / one).stat().st_size, (tree / one).stat().st_mtime
    body = a_minute("another.gz", 300_000)
    write(tree, one, (body + bytes(100))[:size])
    assert (tree / one).stat().st_mtime == stamp  # same size and time, so the same ETag here
    web.faults.clear()
    assert not fetch(web, tmp_path / "out").problems
    assert files_in(tmp_path / "out") == {one: (tree / one).read_bytes()}
    assert [asked.start > 0 for asked in web.fetched(NAME)] == [False, True, False]


def test_home_page_instead_of_a_listing(web, tree, one, tmp_path):
    for name in ("data", "2014", "03", "10", "gill_themis19", "ut05"):
        web.faults[name] = ["home"]
    assert not fetch(web, tmp_path / "a", pauses_s=[0.01] * 8).problems
    web.faults["ut05"] = ["home*"]
    result = fetch(web, tmp_path / "b")
    assert reasons(result) == ["what came is not a folder's listing but a page entitled 'The archive'"]
    assert result.problems[0].path == FOLDER_OF_NIGHT


def test_a_bad_hour_keeps_neither_other_hours_nor_other_nights_back(web, tree, tmp_path):
    a_night(tree, hours=(5, 6), n_minutes=2)
    a_night(tree, "rank", "themis12", hours=(7,), n_minutes=2)
    web.faults["ut05"] = ["home*"]
    nights = [("gill", "2014-03-10"), ("rank", "2014-03-10"), ("atha", "2014-03-10")]
    result = download_themis(nights, tmp_path / "out", web.base, pauses_s=(0.01,), timeout_s=2.0)
    assert [(night.name, night.n_came, night.n_failed) for night in result.nights] == [
        ("atha/2014-03-10", 0, 1),
        ("gill/2014-03-10", 2, 1),
        ("rank/2014-03-10", 2, 0),
    ]


def test_a_mirror_whose_top_is_not_listed_still_works(web, one, tmp_path):
    for name in ("data", "2014", "03"):
        web.faults[name] = ["404*"]
    result = fetch(web, tmp_path / "out")
    assert result.n_came == 1
    assert not result.problems


def test_links_to_other_hosts_and_out_of_the_folder_are_refused_by_name(web, tree, one, tmp_path):
    other = NAME.replace("0500", "0501")
    web.extra_links["ut05"] = [
        f"http://192.0.2.1/{other}",
        f"//192.0.2.1/{other}",
        f"../../{other}",
        f"/data/{other}",
        f"..%2f..%2f{other}",
        f"%2e%2e/{other}",
        f"file:///etc/{other}",
        f"javascript:{other}",
        "http://[bad/",
        "../../../../etc/passwd",
        f"sub/{other}",
        f"https://127.0.0.1/{other}",
        f"x;{other}",
        f"%00{other}",
        f"{other}?C=1",
        "mailto:us@example.org",
        "about.html",
    ]
    web.extra_links["10"] = ["http://192.0.2.1/gill_themis19/", "gill_themis20%2F..%2F..%2Fx/", "/"]
    result = fetch(web, tmp_path / "out")
    assert list(files_in(tmp_path / "out")) == [one, PROBLEMS_NAME]
    text = "\n".join(str(problem) for problem in result.problems)
    assert "a link to another server (http://192.0.2.1)" in text
    assert "a link out of the folder" in text
    assert "its name is not of the archive's form" in text
    assert all(reason.startswith("refused: ") for reason in reasons(result))
    assert {asked.path for asked in web.log} <= {
        "/data/",
        "/data/2014/",
        "/data/2014/03/",
        "/data/2014/03/10/",
        "/data/2014/03/10/gill_themis19/",
        f"/data/{FOLDER_OF_NIGHT}/",
        f"/data/{one}",
    }


def test_listing_with_exact_sizes_needs_no_further_question(web, tree, one, tmp_path):
    web.exact_sizes = True
    fetch(web, tmp_path / "out")
    assert fetch(web, tmp_path / "out").n_there == 1
    assert not [asked for asked in web.log if asked.method == "HEAD"]
    web.exact_sizes = False
    assert fetch(web, tmp_path / "out").n_there == 1
    assert len([asked for asked in web.log if asked.method == "HEAD"]) == 1


def test_no_more_connections_than_asked_for(web, ftp, tree, tmp_path):
    a_night(tree, hours=range(4), n_minutes=6)
    web.pause_s = 0.01
    assert fetch(web, tmp_path / "a", connections=3).n_came == 24
    assert 2 <= web.most_open <= 3
    assert fetch(ftp, tmp_path / "b", connections=5).n_came == 24
    assert ftp.most_open <= 5


def test_a_server_that_is_gone(tree, one, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nights = [("gill", f"2014-03-{day:02}") for day in range(1, 31)]
    for scheme in ("http", "ftp", "rsync"):
        if scheme == "rsync":
            from pulsaurora.archive.transfer.rsync import find_rsync

            if find_rsync() is None:
                continue
        base = f"{scheme}://127.0.0.1:{port}/data/"
        result = download_themis(
            nights, tmp_path / "out", base, connections=2, pauses_s=(0.01,), timeout_s=2.0
        )
        assert result.n_failed == 30
        assert any("Connection refused" in reason for reason in reasons(result))
        assert (
            sum("not tried: the server has stopped answering" in reason for reason in reasons(result)) >= 20
        )
    assert not (tmp_path / "out/2014").exists()


def test_a_full_disk_ends_the_run(web, tree, one, tmp_path, monkeypatch):
    import errno

    from pulsaurora.archive.transfer.incoming import Part

    def full(self, chunks, start, size, moved):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Part, "receive", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(web, tmp_path / "out")
    assert not (tmp_path / "out" / one).exists()


FITS = "PKR_DASC_0558_20151007_082351.743.FITS"


@pytest.fixture
def image(tree):
    write(tree, f"2015/20151007/{FITS}", a_minute(FITS, 200_000))
    return f"2015-10-07-558/{FITS}"


def fetch_image(ftp, out, **how):
    settings = {"pauses_s": (0.02, 0.04, 0.06), "timeout_s": 2.0} | how
    return download_pfrr(["2015-10-07"], out, ["558"], ftp.base, **settings)


@pytest.mark.parametrize("fault", ["empty", "drop", "refuse", "busy", "stall"])
def test_ftp_fault_that_passes(fault, ftp, tree, image, tmp_path):
    ftp.faults[FITS] = [fault, fault]
    result = fetch_image(ftp, tmp_path / "out", timeout_s=0.6 if fault == "stall" else 2.0)
    assert not result.problems
    assert files_in(tmp_path / "out") == {image: (tree / f"2015/20151007/{FITS}").read_bytes()}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("empty", "came empty"),
        ("drop", "came with 100004 bytes, the server says 200008 bytes"),
        ("refuse", "the server answers 550 No such file."),
        ("busy", "the server answers 421 Too many connections."),
    ],
)
def test_ftp_fault_that_stays(fault, said, ftp, image, tmp_path):
    ftp.faults[FITS] = [f"{fault}*"]
    result = fetch_image(ftp, tmp_path / "out", pauses_s=(0.02,))
    assert [reason for reason in reasons(result) if reason] == [said]
    assert not (tmp_path / "out" / image).exists()


def test_ftp_listing_that_says_empty_of_what_is_not(ftp, tree, image, tmp_path):
    ftp.faults[FITS] = ["unlisted"]
    assert not fetch_image(ftp, tmp_path / "out").problems
    assert files_in(tmp_path / "out") == {image: (tree / f"2015/20151007/{FITS}").read_bytes()}


def test_ftp_goes_on_where_it_broke(ftp, tree, image, tmp_path):
    ftp.faults[FITS] = ["drop"]
    assert not fetch_image(ftp, tmp_path / "out").problems
    assert [asked.start > 90_000 for asked in ftp.fetched(FITS)] == [False, True]
    assert ftp.fetched(FITS)[1].n_bytes < 110_000


@pytest.mark.parametrize("settings", [{"with_mlsd": False}, {"with_rest": False}, {"most": 3}])
def test_ftp_servers_of_other_kinds(settings, tree, image, tmp_path):
    pytest.importorskip("pyftpdlib")
    for second in range(12):
        write(tree, f"2015/20151007/PKR_DASC_0558_20151007_0900{second:02}.000.FITS")
    server = servers.FtpArchive(tree, **settings)
    try:
        server.faults[FITS] = ["drop"]
        result = fetch_image(server, tmp_path / "out", connections=6, pauses_s=[0.05] * 30)
        assert not result.problems
        assert (tmp_path / "out" / image).read_bytes() == (tree / f"2015/20151007/{FITS}").read_bytes()
        assert result.n_came == 13
    finally:
        server.close()


@pytest.mark.parametrize("fault", ["drop", "stall"])
def test_rsync_goes_on_where_the_line_broke(fault, rsyncd, tree, one, tmp_path):
    line = servers.FaultyLine(rsyncd.base, fault, 150_000)
    try:
        result = fetch(line, tmp_path / "out", timeout_s=1)
    finally:
        line.close()
    assert line.fault is None and not result.problems
    assert files_in(tmp_path / "out") == {one: (tree / one).read_bytes()}
    assert rsyncd.fetched(NAME)[-1].n_bytes < 250_000


def test_rsync_daemon_without_the_module(rsyncd, tmp_path):
    result = download_themis(
        NIGHT, tmp_path / "out", rsyncd.base.replace("/data/", "/nothing/"), pauses_s=(0.01,), timeout_s=2.0
    )
    assert len(result.problems) == 1
    assert "Unknown module" in result.problems[0].reason


def test_only_an_rsync_that_understands_us_is_used(tmp_path, monkeypatch):
    from pulsaurora.archive.transfer import rsync

    program = tmp_path / "rsync"
    for said, good in (
        ("openrsync: protocol version 29", False),
        ("rsync  version 2.6.9  protocol version 29", False),
        ("rsync  version 3.2.7  protocol version 31", True),
        ("rsync  version v3.4.1", True),
    ):
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        assert (rsync.find_rsync() == str(program)) is good
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert rsync.find_rsync() is None
