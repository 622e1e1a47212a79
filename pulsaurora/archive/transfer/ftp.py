"""FTP, anonymous and passive: an archive behind a server of the old kind.

One control connection a thread. Sizes come with the listing (MLSD, else LIST) or by SIZE; a transfer is
resumed with REST and its first bytes are compared with the last ones held.
"""

import contextlib
import ftplib

from pulsaurora.archive.transfer.incoming import OVERLAP
from pulsaurora.archive.transfer.listing import parse_list_line, parse_mlsd_line
from pulsaurora.archive.transfer.names import shown
from pulsaurora.archive.transfer.remote import (
    MAX_ENTRIES,
    NotThereError,
    RefusedError,
    Session,
    Size,
    TransferError,
    UnreachableError,
    keep_pace,
)

_CHUNK = 1 << 16


class FtpSession(Session):
    """One thread's connection to an FTP server, opened when it is first needed and again when it broke.

    Parameters
    ----------
    base : Base
    timeout_s : float
        For connecting and for every wait for bytes.
    """

    knows_missing = False  # pressed, a server says of all sorts of things that they are not there

    def __init__(self, base, timeout_s=60.0):
        self._base = base
        self._timeout_s = timeout_s
        self._ftp = None
        self._lists = "MLSD"

    def close(self):
        ftp, self._ftp = self._ftp, None
        if ftp is not None:
            with contextlib.suppress(OSError, EOFError, ftplib.Error):
                # Leaving politely must not take longer than the work did.
                ftp.sock.settimeout(2.0)
                ftp.quit()
            ftp.close()

    def list(self, folder):
        path = f"{self._base.path}{folder}".rstrip("/") or "/"
        if self._lists == "MLSD":
            try:
                return self._lines("MLSD", path, parse_mlsd_line)
            except _NotUnderstoodError:
                self._lists = "LIST"
        return self._lines("LIST", path, parse_list_line)

    def size(self, file):
        with self._talk() as ftp:
            ftp.voidcmd("TYPE I")
            try:
                n_bytes = ftp.size(f"{self._base.path}{file.path}")
            except ftplib.error_perm as error:
                if str(error)[:3] in ("500", "502", "504"):
                    return file.size
                raise
        return file.size if n_bytes is None else Size(n_bytes, n_bytes)

    def fetch_one(self, file, part, moved):
        size = file.size if file.size.exact else self.size(file)
        if not size.exact:
            raise RefusedError("the server does not tell its size, so that it cannot be checked")
        note = {"url": self._base.url(file.path), "validator": f"{size} {file.modified}"}
        start = max(0, part.held() - OVERLAP) if part.note() == note else 0
        with self._talk() as ftp:
            ftp.voidcmd("TYPE I")
            command = f"RETR {self._base.path}{file.path}"
            try:
                connection = ftp.transfercmd(command, rest=start or None)
            except ftplib.error_perm as error:
                if not start or str(error).startswith("550"):
                    raise
                start, connection = 0, ftp.transfercmd(command)  # the server cannot resume
            with connection:
                if not start:
                    part.begin(note)
                chunks = keep_pace(lambda: _receive(connection), self._timeout_s)
                part.receive(chunks, start, size, moved)
            ftp.voidresp()
        part.finish(size, file.modified)

    def _lines(self, command, path, parse):
        entries, n_lines = [], 0

        def take(line):
            nonlocal n_lines
            n_lines += 1
            if n_lines > MAX_ENTRIES:
                raise RefusedError(f"the listing has more than {MAX_ENTRIES} entries")
            entry = parse(line)
            if entry is not None and entry.name not in (".", ".."):
                entries.append(entry)

        with self._talk() as ftp:
            try:
                ftp.retrlines(f"{command} {path}", take)
            except ftplib.error_perm as error:
                if command == "MLSD" and str(error)[:3] in ("500", "501", "502", "504"):
                    raise _NotUnderstoodError(str(error)) from None
                raise
        return entries

    @contextlib.contextmanager
    def _talk(self):
        """The connection; an error of any kind closes it, and comes out as a TransferError."""
        try:
            if self._ftp is None:
                self._ftp = self._connect()
            yield self._ftp
        except _NotUnderstoodError:
            raise
        except ftplib.Error as error:
            self._drop()
            said = f"the server answers {shown(error)}"
            if isinstance(error, ftplib.error_perm) and str(error).startswith("550"):
                raise NotThereError(said) from None
            raise TransferError(said) from None
        except (EOFError, ConnectionError, TimeoutError) as error:
            self._drop()
            raise TransferError(_words(error)) from None
        except BaseException:
            self._drop()
            raise

    def _connect(self):
        # Bytes that are no UTF-8 are in no name of ours and must not end the listing.
        ftp = ftplib.FTP(timeout=self._timeout_s, encoding="latin-1")
        try:
            ftp.connect(self._base.host.strip("[]"), self._base.port)
            ftp.login()
        except (OSError, EOFError) as error:
            ftp.close()
            raise UnreachableError(_words(error)) from None
        except BaseException:
            ftp.close()
            raise
        return ftp

    def _drop(self):
        ftp, self._ftp = self._ftp, None
        if ftp is not None:
            ftp.close()


class _NotUnderstoodError(TransferError):
    """The server does not know the command."""


def _receive(connection):
    try:
        return connection.recv(_CHUNK)
    except (ConnectionError, TimeoutError) as error:
        raise TransferError(_words(error)) from None


def _words(error):
    if isinstance(error, TimeoutError):
        return "the server does not answer in time"
    if isinstance(error, EOFError):
        return "the server has closed the connection"
    return shown(getattr(error, "strerror", None) or error)
