"""Names that come from outside, checked before they become part of a path, an address or a command.

A server's listing, a workbook and the command line are not trusted. A name is used only when it is of the
one form that is expected of it; what is refused is refused by name.
"""

import datetime
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from pulsaurora.problems import UsageError

# One step of a path: no separator, space, quote, `;` or control character, and neither hidden nor an option.
_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+%-]{0,127}", re.ASCII)
_BASE_STEP = re.compile(r"[A-Za-z0-9_~][A-Za-z0-9._+~-]{0,127}", re.ASCII)
_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]", re.ASCII)
_SITE = re.compile(r"[a-z0-9]{4}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PORTS = {"https": 443, "http": 80, "ftp": 21, "rsync": 873}

# What a file of each kind begins with; the longest ending that fits counts.
MAGIC = {
    ".gz": (b"\x1f\x8b", "a gzip file"),
    ".bz2": (b"BZh", "a bzip2 file"),
    ".pgm": (b"P5", "a PGM image"),
    ".fits": (b"SIMPLE", "a FITS image"),
    ".fit": (b"SIMPLE", "a FITS image"),
    ".sav": (b"SR", "an IDL save file"),
}


class Base(NamedTuple):
    """Where an archive's tree begins on a server."""

    scheme: str
    host: str
    port: int
    path: str  # begins and ends with /

    def url(self, path=""):
        """The address of what lies at `path` under the base, as people read it."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}{path}"


def is_safe(name):
    """Tell whether a name may be one step of a path: it does not climb, hide, split or give an option."""
    return _STEP.fullmatch(name) is not None


def shown(name):
    """A name as it can be printed: control characters escaped, cut to a length that a line takes."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))
    return text if len(text) <= 160 else f"{text[:150]}... ({len(text)} characters)"


def parse_base(address):
    """Read the address of an archive's tree, such as `https://host/path/`.

    Parameters
    ----------
    address : str

    Returns
    -------
    Base

    Raises
    ------
    UsageError
        If the scheme is none of rsync, https, http and ftp, or the address holds a user, a query, or a step
        that is not plain.
    """

    def refuse(why):
        raise UsageError(
            f"{shown(address)!r} is not an archive's address: {why}; write it as https://host/path/"
        )

    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        refuse(error)
    if parts.scheme not in _PORTS:
        refuse("it begins with none of rsync://, https://, http:// and ftp://")
    if "@" in parts.netloc:
        refuse("it names a user; archives are read without one")
    if parts.query or parts.fragment or "?" in address or "#" in address:
        refuse("it has a query")
    # Compared with the text itself: urlsplit silently drops line ends and tabs.
    host = parts.netloc[: -len(f":{port}")] if port is not None else parts.netloc.removesuffix(":")
    if not _HOST.fullmatch(host) or not address.startswith(f"{parts.scheme}://{parts.netloc}{parts.path}"):
        refuse("it names no plain host")
    steps = [step for step in parts.path.split("/") if step]
    for step in steps:
        if not _BASE_STEP.fullmatch(step):
            refuse(f"{shown(step)!r} is not a plain folder name")
    if parts.scheme == "rsync" and not steps:
        refuse("rsync needs the module's name after the host")
    path = "".join(f"{step}/" for step in steps)
    return Base(parts.scheme, host.lower(), port or _PORTS[parts.scheme], f"/{path}")


def parse_site(text):
    """Return a site in lower case; UsageError by name for what is not four letters or digits."""
    site = text.strip().lower() if isinstance(text, str) else ""
    if not _SITE.fullmatch(site):
        raise UsageError(f"{shown(text)!r} is not a site, expected four letters such as gill")
    return site


def parse_date(value):
    """Return a `datetime.date` from one, from a datetime or from YYYY-MM-DD; UsageError by name otherwise."""
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        if not _DATE.fullmatch(value):
            raise ValueError
        return datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UsageError(f"{shown(value)!r} is not a date, expected YYYY-MM-DD") from None


def begins_rightly(name, head):
    """Tell what is wrong with a file's first bytes.

    Parameters
    ----------
    name : str
        Its ending says what the bytes should be.
    head : bytes
        Eight of them, or as many as there are.

    Returns
    -------
    str or None
        What was found and expected; None if all is well, or nothing is known of this ending.
    """
    magic, kind = MAGIC.get(name[name.rfind(".") :].lower(), (b"", ""))
    if head[: len(magic)] == magic:
        return None
    found = "a web page" if head.lstrip()[:1] == b"<" else f"the bytes {head[:8]!r}"
    return f"holds {found}, expected {kind}"
