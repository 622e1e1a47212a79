"""HTTP and HTTPS: an archive behind a web server that lists its folders.

One kept-alive connection a thread (requests). A transfer is resumed with Range and If-Range and is checked
against what the server said before: its length, its place, its ETag or Last-Modified, and the last bytes
held.
"""

import contextlib
import email.utils
import re
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3

from pulsaurora import __version__
from pulsaurora.archive.transfer.incoming import OVERLAP
from pulsaurora.archive.transfer.listing import parse_page
from pulsaurora.archive.transfer.names import shown
from pulsaurora.archive.transfer.remote import (
    MAX_FILE_BYTES,
    MAX_LISTING_BYTES,
    NotThereError,
    RefusedError,
    Session,
    Size,
    TransferError,
    UnreachableError,
    keep_pace,
)

_CHUNK = 1 << 16
_REDIRECTS = 5
_RANGE = re.compile(r"bytes (\d{1,16})-(\d{1,16})/(\d{1,16})", re.ASCII)
_NO_HEAD = (405, 501)  # a server that does not answer HEAD
_LONGEST_WAIT_S = 300.0


class HttpSession(Session):
    """One thread's connection to a web server.

    Parameters
    ----------
    base : Base
    timeout_s : float
        For connecting and for every wait for bytes.
    """

    knows_missing = False

    def __init__(self, base, timeout_s=60.0):
        self._base = base
        self._timeout_s = timeout_s
        self._http = requests.Session()
        # Bytes are taken as they lie on the server's disk: nothing is compressed for the way.
        self._http.headers.update({"User-Agent": f"pulsaurora/{__version__}", "Accept-Encoding": "identity"})
        self._http.auth = lambda request: request  # never what a ~/.netrc holds for that host

    def close(self):
        self._http.close()

    def list(self, folder):
        url = self._url(f"{folder}/" if folder else "")
        with self._ask("GET", url) as answer:
            text = bytearray()
            for chunk in self._chunks(answer):
                text += chunk
                if len(text) > MAX_LISTING_BYTES:
                    raise RefusedError(f"the listing has more than {MAX_LISTING_BYTES} bytes")
            at = answer.url if answer.url.endswith("/") else f"{answer.url}/"
        return parse_page(text.decode("utf-8", "replace"), at)

    def size(self, file):
        with self._ask("HEAD", self._url(file.path), allowed=_NO_HEAD) as answer:
            if answer.status_code in _NO_HEAD:
                return file.size
            return _content_length(answer) or file.size

    def fetch_one(self, file, part, moved):
        url = self._url(file.path)
        note = part.note() if part.held() else {}
        start = max(0, part.held() - OVERLAP) if note.get("url") == url else 0
        headers = {}
        if start:
            headers["Range"] = f"bytes={start}-"
            if isinstance(note.get("validator"), str):
                headers["If-Range"] = note["validator"]
        with self._ask("GET", url, headers) as answer:
            length = _content_length(answer)
            if answer.status_code == 416:
                part.discard()
                raise TransferError("has changed on the server since a part of it came")
            if answer.status_code == 206:
                size = _range_total(answer, start, note.get("total"))
                if size is None:
                    part.discard()
                    place = shown(answer.headers.get("Content-Range"))
                    raise TransferError(f"came from another place ({place}) than asked for")
            else:
                start, size = 0, length or Size()
                part.begin(
                    {"url": url, "validator": _validator(answer), "total": length.low if length else None}
                )
            if length is None and not _ends_by_itself(answer) and not file.size.exact:
                raise TransferError("came without its length, so that it cannot be checked")
            part.receive(self._chunks(answer), start, size, moved)
            modified = _modified(answer)
        part.finish(size, modified)

    def _url(self, path):
        return self._base.url(quote(path))

    @contextlib.contextmanager
    def _ask(self, method, url, headers=None, allowed=()):
        """Send one request; follow redirects on the same server; raise for what is no answer."""
        answer = None
        try:
            for _ in range(_REDIRECTS):
                answer = self._send(method, url, headers)
                if answer.status_code not in (301, 302, 303, 307, 308):
                    break
                url = self._redirected(url, answer.headers.get("Location", ""))
                answer.close()
            else:
                raise TransferError(f"the server redirects more than {_REDIRECTS} times")
            if answer.status_code not in allowed:
                _check_status(answer)
            yield answer
        finally:
            if answer is not None:
                answer.close()

    def _send(self, method, url, headers):
        try:
            return self._http.request(
                method, url, headers=headers, stream=True, allow_redirects=False, timeout=self._timeout_s
            )
        except requests.exceptions.SSLError as error:
            raise UnreachableError(f"no secure connection: {_words(error)}") from None
        except (requests.ConnectionError, requests.Timeout) as error:
            raise UnreachableError(_words(error)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransferError(_words(error)) from None

    def _redirected(self, url, location):
        try:
            here, there = urlsplit(url), urlsplit(urljoin(url, location))
            same = here.hostname == there.hostname and (
                (here.scheme, here.port) == (there.scheme, there.port)
                or (here.scheme, there.scheme, here.port or 80, there.port or 443)
                == ("http", "https", 80, 443)
            )
        except ValueError:
            same = False
        if not same or "@" in there.netloc:
            raise RefusedError(f"the server sends us elsewhere, to {shown(location)}, which is not followed")
        return there.geturl()

    def _chunks(self, answer):
        """Bytes as they come, undecoded; TransferError when they come too slowly."""
        return keep_pace(lambda: self._read(answer), self._timeout_s)

    def _read(self, answer):
        try:
            # read1 gives what is there, read would wait for all of it.
            return answer.raw.read1(_CHUNK, decode_content=False)
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            raise TransferError(_words(error)) from None


def _check_status(answer):
    status = answer.status_code
    if status in (200, 206, 416):
        return
    said = f"the server answers {status} {shown(answer.reason or '')}".rstrip()
    if status in (404, 410):
        raise NotThereError(said)
    if status in (400, 401, 403, 405, 407, 451):
        raise RefusedError(said)
    raise TransferError(said, _retry_after(answer))


def _retry_after(answer):
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT_S) if re.fullmatch(r"\d{1,6}", text, re.ASCII) else 0.0


def _content_length(answer):
    text = answer.headers.get("Content-Length", "")
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return None
    if int(text) > MAX_FILE_BYTES:
        raise RefusedError(f"is said to have {text} bytes, no file of the archive is as large")
    return Size(int(text), int(text))


def _range_total(answer, start, total):
    """The size of the whole file if an answer begins where it was asked to, in the file that is known."""
    place = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if not start or place is None or int(place[1]) != start or total not in (None, int(place[3])):
        return None
    return Size(int(place[3]), int(place[3]))


def _ends_by_itself(answer):
    return "chunked" in answer.headers.get("Transfer-Encoding", "").lower()


def _validator(answer):
    """What If-Range takes: a strong ETag, else the time of the last change."""
    tag = answer.headers.get("ETag", "")
    if tag.startswith('"') and tag.isprintable():
        return tag
    return answer.headers.get("Last-Modified") or None


def _modified(answer):
    try:
        return email.utils.parsedate_to_datetime(answer.headers.get("Last-Modified", "")).timestamp()
    except (TypeError, ValueError):
        return None


def _words(error):
    """The innermost reason of what requests and urllib3 wrap several times."""
    while True:
        wrapped = (getattr(error, "reason", None), error.__cause__, *error.args)
        inner = next((one for one in wrapped if isinstance(one, Exception)), None)
        if inner is None:
            break
        error = inner
    timed_out = isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError)
    if timed_out and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "the server does not answer in time"
    return shown(getattr(error, "strerror", None) or str(error) or type(error).__name__)
