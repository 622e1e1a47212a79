"""Folder listings as servers write them: web pages, FTP's `LIST` and `MLSD`, rsync's `--list-only`.

Only names, sizes and times are taken out; the names are the server's and are not trusted here.
"""

import datetime
import html
import re
from urllib.parse import unquote, urljoin, urlsplit

from pulsaurora.archive.transfer.names import shown
from pulsaurora.archive.transfer.remote import MAX_ENTRIES, Entry, NoListingError, RefusedError, Size

# The time a server lists (Apache, nginx, lighttpd) and the size after it; a number elsewhere is no size.
_SIZE = re.compile(
    r"(?:\d{4}-(?:\d{2}|[A-Z][a-z]{2})-\d{2}|\d{2}-[A-Z][a-z]{2}-\d{4}) \d{2}:\d{2}(?::\d{2})?\s+"
    r"(\d{1,15})(?:\.(\d{1,3}))?([KMGT])?(?:i?B)?(?=\s|$)",
    re.ASCII,
)
_MARKS = re.compile(r"index of|directory listing|parent directory", re.IGNORECASE)
_TITLE = re.compile(r"<title>([^<]{1,80})", re.IGNORECASE)
_LINK = re.compile(r"<a(?=\s)", re.IGNORECASE)
_LINK_END = re.compile(r"</a>", re.IGNORECASE)
_HREF = re.compile(r"(?<![^\s\"'])href=(?:\"([^\"]*)|'([^']*)|([^\s\"']+))", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>|&nbsp;")
_LONGEST_LINK = 4096  # characters, with the text after it
_UNIX = re.compile(
    r"([-dlbcps])[-rwxsStT]{9}\S*\s+\d+\s+\S+\s+\S+\s+(\d+)\s+\w{3}\s+\d{1,2}\s+[\d:]+\s(.+)", re.ASCII
)
_DOS = re.compile(r"\d\d-\d\d-\d\d(?:\d\d)?\s+\d\d:\d\d(?:[AP]M)?\s+(<DIR>|\d+)\s+(.+)", re.ASCII)
_RSYNC = re.compile(r"(.)\S{9}\S*\s+(\d+)\s+(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) (.+)", re.ASCII)


def parse_page(text, url):
    """Read a web server's listing of a folder.

    Parameters
    ----------
    text : str
        The page, HTML.
    url : str
        The folder's own address, with a / at the end.

    Returns
    -------
    list of Entry
        A link that leaves the folder is an Entry that says why it is refused; links up, to other orders of
        the same listing and to pages that are not of this folder's form are left to the caller's patterns.

    Raises
    ------
    NoListingError
        If the page is no listing, such as a home page sent in its place.
    """
    links = list(_links(text))
    if not _MARKS.search(text[:4000]) and not any(link.startswith("?") and "C=" in link for link, _ in links):
        title = _TITLE.search(text[:4000])
        said = f"entitled {shown(title[1].strip())!r}" if title else "without a title"
        raise NoListingError(f"what came is not a folder's listing but a page {said}")
    here = urlsplit(url)
    entries = {}
    for link, after in links:
        if not link or link.startswith(("?", "#")):
            continue
        entry = _entry(link, after, url, here)
        if entry is not None:
            entries.setdefault((entry.name, entry.is_folder, entry.refused), entry)
    return list(entries.values())


def _links(text):
    """Every link of a page with the text after it, up to the next one.

    Takes time in proportion to the page, whatever stands in it: html.parser is quadratic in tags that do not
    end (a minute for 40 kB of `<a ` on Python 3.11), and a server could hold us with that.
    """
    pieces = _LINK.split(text, MAX_ENTRIES + 1)
    if len(pieces) > MAX_ENTRIES:
        raise RefusedError(f"the listing has more than {MAX_ENTRIES} entries")
    for piece in pieces[1:]:
        tag, _, rest = piece[:_LONGEST_LINK].partition(">")
        href = _HREF.search(tag)
        after = _LINK_END.split(rest, 1)[-1]
        yield html.unescape(href[1] or href[2] or href[3] or "") if href else "", _TAG.sub(" ", after)


def _entry(link, after, url, here):
    last = unquote(link.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2])
    try:
        there = urlsplit(urljoin(url, link))
        foreign = (there.scheme, there.hostname, there.port) != (here.scheme, here.hostname, here.port)
    except ValueError:
        return Entry(last, False, refused="a link that cannot be read")
    if foreign:
        return Entry(last, False, refused=f"a link to another server ({there.scheme}://{there.netloc})")
    folder, path = unquote(here.path), there.path
    if not unquote(path).startswith(folder):
        return (
            None
            if folder.startswith(unquote(path))
            else Entry(last, False, refused="a link out of the folder")
        )
    # Cut while still quoted: a quoted separator is part of a name, and such a name is refused.
    step = path[len(here.path) :] if path.startswith(here.path) else unquote(path)[len(folder) :]
    if not step or there.query:
        return None
    is_folder = step.endswith("/")
    name = step.removesuffix("/")
    if "/" in name:
        return Entry(last, False, refused="a link out of the folder")
    return Entry(unquote(name), is_folder, Size() if is_folder else _page_size(after))


def _page_size(after):
    """The size in the text that follows a link."""
    match = _SIZE.search(after)
    if match is None:
        return Size()
    whole, part, unit = match.groups()
    if unit is None:
        return _exact(whole) if part is None else Size()
    # Rounded to one of its last digit, in steps of 1024 or of 1000: servers do either, and do not say which.
    value, step = float(f"{whole}.{part or 0}"), 10.0 ** -len(part or "")
    power = "KMGT".index(unit) + 1
    return Size(max(0, int((value - step) * 1000**power)), int((value + step) * 1024**power) + 1)


def parse_list_line(line):
    """Read one line of FTP's LIST, in the form of Unix or of DOS; None for what is no file or folder."""
    if match := _UNIX.fullmatch(line):
        kind, size, name = match.groups()
        if kind not in "-d":
            return None
        return Entry(name, kind == "d", Size() if kind == "d" else _exact(size))
    if match := _DOS.fullmatch(line):
        size, name = match.groups()
        return Entry(name, size == "<DIR>", Size() if size == "<DIR>" else _exact(size))
    return None


def parse_mlsd_line(line):
    """Read one line of FTP's MLSD (RFC 3659); None for what is no file or folder."""
    facts, space, name = line.partition(" ")
    if not space or not name:
        return None
    facts = dict(fact.lower().split("=", 1) for fact in facts.split(";") if "=" in fact)
    kind = facts.get("type")
    if kind not in ("file", "dir"):
        return None
    modified = None
    if re.fullmatch(r"\d{14}(\.\d+)?", facts.get("modify", ""), re.ASCII):
        modified = _seconds(facts["modify"][:14], "%Y%m%d%H%M%S")
    size = facts.get("size", "")
    return Entry(
        name,
        kind == "dir",
        _exact(size) if kind == "file" and size.isascii() and size.isdigit() else Size(),
        modified,
    )


def parse_rsync_line(line):
    """Read one line of `rsync --list-only` run in UTC; None for what is no file or folder, such as a link."""
    match = _RSYNC.fullmatch(line)
    if match is None or match[1] not in "-d":
        return None
    kind, size, time, name = match.groups()
    return Entry(
        name, kind == "d", Size() if kind == "d" else _exact(size), _seconds(time, "%Y/%m/%d %H:%M:%S")
    )


def _exact(digits):
    # A server under load lists as empty what is not: nothing is known of such a file.
    size = int(digits[:16])
    return Size(size, size) if size else Size()


def _seconds(text, form):
    try:
        return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None
