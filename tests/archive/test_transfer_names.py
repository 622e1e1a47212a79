"""Names, listings and addresses from outside: what is taken from them, and that nothing of them escapes."""

import contextlib
import posixpath
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.archive.transfer.listing import (
    parse_list_line,
    parse_mlsd_line,
    parse_page,
    parse_rsync_line,
)
from pulsaurora.archive.transfer.names import begins_rightly, is_safe, parse_base, shown
from pulsaurora.archive.transfer.remote import NoListingError, RefusedError, Size
from pulsaurora.archive.wanted import FrameFinder, PfrrFinder
from pulsaurora.problems import UsageError

HERE = "https://host.example/data/2014/"

APACHE_TABLE = """<html><head><title>Index of /data/2014</title></head><body><h1>Index of /data/2014</h1>
<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=S;O=A">Size</a></th></tr>
<tr><td valign="top"><img src="/icons/back.gif"></td><td><a href="/data/">Parent Directory</a></td></tr>
<tr><td><a href="a.pgm.gz">a.pgm.gz</a></td><td align="right">2014-03-10 06:01  </td><td>2.0M</td>
<td>3 minutes</td></tr>
<tr><td><a href="ut05/">ut05/</a></td><td align="right">2014-03-10 06:01  </td><td>  - </td></tr>
</table></body></html>"""
NGINX = """<html><head><title>Index of /data/2014/</title></head><body><h1>Index of /data/2014/</h1><hr><pre>
<a href="../">../</a>
<a href="ut05/">ut05/</a>                 10-Mar-2014 06:01                   -
<a href="a.pgm.gz">a.pgm.gz</a>           10-Mar-2014 06:01             2139012
</pre><hr></body></html>"""
PYTHON = """<html><head><title>Directory listing for /data/2014/</title></head><body>
<h1>Directory listing for /data/2014/</h1><ul>
<li><a href="a.pgm.gz">a.pgm.gz</a></li><li><a href="ut05/">ut05/</a></li></ul></body></html>"""
LIGHTTPD = """<html><head><title>Index of /data/2014/</title></head><body><h2>Index of /data/2014/</h2><table>
<tr class="d"><td class="n"><a href="../">..</a>/</td><td class="m">&nbsp;</td><td>- &nbsp;</td></tr>
<tr class="d"><td><a href="ut05/">ut05</a>/</td><td>2014-Mar-10 06:01:00</td><td>- &nbsp;</td></tr>
<tr><td><a href="a.pgm.gz">a.pgm.gz</a></td><td>2014-Mar-10 06:01:00</td><td>2.0M</td></tr></table></body>"""


@pytest.mark.parametrize(
    ("page", "size"),
    [(APACHE_TABLE, (1_900_000, 2_202_010)), (NGINX, (2139012, 2139012)), (PYTHON, Size()),
     (LIGHTTPD, (1_900_000, 2_202_010))],
)  # fmt: skip
def test_listings_of_four_servers(page, size):
    entries = {(entry.name, entry.is_folder): entry for entry in parse_page(page, HERE)}
    assert set(entries) == {("a.pgm.gz", False), ("ut05", True)}
    assert entries["a.pgm.gz", False].size == size
    assert not any(entry.refused for entry in entries.values())


@pytest.mark.parametrize(
    "n_bytes", [1, 972, 973, 1023, 1024, 9000, 10_188, 131_072, 994_000, 2_139_012, 600_000_000]
)
def test_a_rounded_size_allows_the_true_one(n_bytes):
    from servers import rounded

    page = f'<title>Index of /</title><a href="a">a</a> 2014-03-10 06:01 {rounded(n_bytes)}\n'
    (entry,) = parse_page(page, HERE)
    assert entry.size.allows(n_bytes)
    assert not entry.size.allows(n_bytes * 2)
    assert not entry.size.allows(n_bytes // 2)


@pytest.mark.parametrize("page", ["", "<html>Welcome<a href='a.pgm.gz'>a</a></html>", "\x00\xff", "<a href="])
def test_a_page_that_is_no_listing(page):
    with pytest.raises(NoListingError):
        parse_page(page, HERE)


@given(st.text(), st.lists(st.text(alphabet="abAB05./%2fe:;?#@\\ \"'\n\t<>-&", max_size=20), max_size=6))
def test_no_page_gives_a_name_that_leaves_its_folder(noise, links):
    page = "Index of" + noise + "".join(f'<a href="{link}">x</a>' for link in links)
    for entry in parse_page(page, HERE):
        if entry.refused is None and is_safe(entry.name):
            path = posixpath.normpath(f"/data/2014/{entry.name}")
            assert path == f"/data/2014/{entry.name}"
            assert posixpath.dirname(path) == "/data/2014"


def test_lines_of_ftp_and_rsync():
    assert parse_list_line("-rw-r--r--   1 ftp ftp   527040 Oct 07  2015 a b.FITS") == (
        "a b.FITS", False, (527040, 527040), None, None,
    )  # fmt: skip
    assert parse_list_line("drwxr-xr-x   2 ftp ftp     4096 Oct 07 08:23 20151007")[:2] == ("20151007", True)
    assert parse_list_line("lrwxrwxrwx   1 ftp ftp       10 Oct 07 08:23 x -> /etc/passwd") is None
    assert parse_list_line("10-07-15  08:23AM       <DIR>          20151007")[:2] == ("20151007", True)
    assert parse_list_line("10-07-15  08:23AM               527040 a.FITS")[2] == (527040, 527040)
    assert parse_list_line("total 12") is None
    entry = parse_mlsd_line("type=file;size=527040;modify=20151007082351.743; a b.FITS")
    assert entry == ("a b.FITS", False, (527040, 527040), 1444206231.0, None)
    assert parse_mlsd_line("type=OS.unix=slink:/etc;size=1; x") is None
    assert parse_mlsd_line("type=cdir; .") is None
    entry = parse_rsync_line("-rw-r--r--      2139012 2014/03/10 06:01:00 ut05/a.pgm.gz")
    assert entry == ("ut05/a.pgm.gz", False, (2139012, 2139012), 1394431260.0, None)
    assert parse_rsync_line("lrwxrwxrwx            3 2014/03/10 06:01:00 a -> b") is None
    assert parse_rsync_line("receiving file list ... done") is None


@given(st.text(max_size=60))
def test_no_line_makes_a_parser_fail(text):
    for line in (text, f"-rw-r--r-- 1 a b 5 Oct 07 2015 {text}", f"type=file;size={text}; {text}",
                 f"-rw-r--r-- 5 {text} x", f"-rw-r--r-- 5 2014/99/99 99:99:99 {text}"):  # fmt: skip
        for parse in (parse_list_line, parse_mlsd_line, parse_rsync_line):
            parse(line)


@given(st.text(max_size=40))
def test_a_safe_name_is_one_plain_step(name):
    if is_safe(name):
        assert name not in (".", "..")
        assert not set(name) & set("/\\ \t\r\n;|&$`'\"<>*?()[]{}:~!\x00")
        assert not name.startswith(("-", "."))
        assert name.isascii()


@given(st.text(max_size=60))
def test_an_address_is_taken_as_it_stands_or_refused(text):
    for address in (text, f"https://{text}", f"rsync://host/{text}", f"ftp://host:{text}/"):
        try:
            base = parse_base(address)
        except UsageError as error:
            assert str(error).isprintable()
            continue
        assert base.url().lower().rstrip("/").startswith(address.split("://")[0].lower())
        assert all(is_safe(step) or step[0] == "~" for step in base.path.strip("/").split("/") if step)


@pytest.mark.parametrize(
    "unit", ["<", "<a ", "<!--", "</a", '<a href="', "<a/", "<a href=x ", "<a b='", "href="]
)
def test_a_page_takes_time_in_proportion_to_its_length(unit):
    start = time.perf_counter()
    with contextlib.suppress(RefusedError):
        parse_page("Index of " + unit * (2_000_000 // len(unit)), HERE)
    assert time.perf_counter() - start < 10  # seconds; quadratic, it would be hours


class Told:
    """A session that lists what it is told to, whatever is asked for."""

    knows_missing = lists_trees = True

    def __init__(self, names):
        from pulsaurora.archive.transfer.remote import Entry

        self.entries = [Entry(name, folder) for name in names for folder in (True, False)]

    def list(self, folder):
        return self.entries

    def tree(self, folder):
        return [(below, entry) for below in ("", "ut05", "../ut05", "-e") for entry in self.entries]


FRAME = "20140310_0500_gill_themis19_full.pgm.gz"
PKR = "PKR_DASC_0558_20140310_050000.000.FITS"


@given(st.lists(st.one_of(
    st.text(max_size=30),
    st.builds(lambda a, b: a + FRAME + b, *[st.text(alphabet="./-;\n %0a\x00_", max_size=4)] * 2),
    st.builds(lambda a, b: a + PKR + b, *[st.text(alphabet="./-;\n %0a\x00_", max_size=4)] * 2),
    st.builds(lambda a: "gill_themis" + a, st.text(max_size=8)),
), max_size=8))  # fmt: skip
def test_whatever_a_server_lists_files_stay_under_out(tmp_path_factory, names):
    import datetime

    class Everywhere:
        def has(self, session, *steps):
            return True

    out = tmp_path_factory.getbasetemp() / "out"
    date = datetime.date(2014, 3, 10)
    for finder in (
        FrameFinder(Everywhere(), date, frozenset({"gill"}), out, all_products=True),
        FrameFinder(Everywhere(), date, None, out, training=True),
        PfrrFinder(Everywhere(), date, ["558"], out),
    ):
        session = Told([*names, "gill_themis19"])
        files, refused, listings = finder.find(session)
        for listing in listings:
            below = listing.find(session)
            files, refused = files + below.files, refused + below.refused
        for file in files:
            assert posixpath.normpath(file.path) == file.path
            assert not file.path.startswith(("/", "-", "."))
            assert all(is_safe(step) for step in file.path.split("/"))
            assert all(is_safe(step) for step in file.local.relative_to(out).parts)
        for night, path, reason in refused:
            assert (night + path + reason).isprintable()


def test_what_is_shown_is_printable_and_short():
    assert shown("a\x1b[2J\n\u202e") == "a\\x1b[2J\\n\\u202e"
    assert len(shown("x" * 10_000)) < 200


def test_first_bytes():
    assert begins_rightly("a.pgm.gz", b"\x1f\x8b\x08") is None
    assert begins_rightly("a.FITS", b"SIMPLE  ") is None
    assert begins_rightly("a.fit", b"SIMPLE  ") is None
    assert begins_rightly("a.pgm", b"P5\n256") is None
    assert begins_rightly("a.pgm.bz2", b"BZh91AY") is None
    assert begins_rightly("a.sav", b"SR\x00\x04") is None
    assert begins_rightly("a.pgm", b"\n<!DOCTYPE") == "holds a web page, expected a PGM image"
    assert begins_rightly("a.pgm.gz", b"P5\n") == "holds the bytes b'P5\\n', expected a gzip file"
