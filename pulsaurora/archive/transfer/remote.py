"""What a transport is asked for and what it answers, whichever protocol it speaks."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# No archive's file is as large, and no folder as full: a server that says so is not believed.
MAX_FILE_BYTES = 512 * 2**20
MAX_LISTING_BYTES = 16 * 2**20
MAX_ENTRIES = 200_000
_SLOWEST_BYTES_S = 200


class TransferError(Exception):
    """Something did not come; the message says what, without the file's name.

    Attributes
    ----------
    retry : bool
        Whether another attempt can help.
    after_s : float
        How long the server asked to be left alone.
    """

    retry = True

    def __init__(self, reason, after_s=0.0):
        super().__init__(reason)
        self.after_s = after_s


class UnreachableError(TransferError):
    """The server did not answer at all."""


class NotThereError(TransferError):
    """The server says that it has nothing of that name."""


class NoListingError(TransferError):
    """What came is not the listing of a folder; such as the archive's home page."""


class RefusedError(TransferError):
    """We will not do it, or the server will not, however often it is asked."""

    retry = False


class StoppedError(Exception):
    """The run was ended while this was under way."""


class Size(NamedTuple):
    """How many bytes a file has: exactly, or between two bounds where a listing rounds."""

    low: int = 0
    high: int = MAX_FILE_BYTES

    @property
    def exact(self):
        return self.low == self.high

    @property
    def estimate(self):
        return self.low if self.exact else 0 if self == Size() else (self.low + self.high) // 2

    def allows(self, n_bytes):
        return self.low <= n_bytes <= self.high

    def __str__(self):
        if self.exact:
            return f"{self.low} bytes"
        return "a size unknown" if self == Size() else f"{self.low} to {self.high} bytes"


class Entry(NamedTuple):
    """One line of a folder's listing. The name is the server's and not checked yet."""

    name: str
    is_folder: bool
    size: Size = Size()
    modified: float | None = None  # seconds since 1970 UTC, where the listing tells it
    refused: str | None = None  # why the link itself cannot be followed


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file to be fetched; path and local name are made of checked steps only.

    Attributes
    ----------
    path : str
        Under the base, steps joined by `/`.
    local : pathlib.Path
        Where it belongs.
    night : str
        What it is counted with, such as `gill/2020-02-18`.
    size : Size
    modified : float or None
        Seconds since 1970 UTC.
    """

    path: str
    local: Path
    night: str
    size: Size = field(default_factory=Size)
    modified: float | None = None

    @property
    def name(self):
        return self.local.name

    @property
    def folder(self):
        return self.path.rpartition("/")[0]


def keep_pace(read, timeout_s):
    """Yield what `read()` returns until it returns nothing.

    Raises
    ------
    TransferError
        If hardly anything came during a whole timeout; a byte now and then keeps a socket awake for ever.
    """
    begun, n_bytes = time.monotonic(), 0
    while chunk := read():
        yield chunk
        n_bytes += len(chunk)
        took = time.monotonic() - begun
        if took > timeout_s:
            if n_bytes < _SLOWEST_BYTES_S * took:
                raise TransferError(f"stalled: {n_bytes} bytes in {took:.0f} s")
            begun, n_bytes = time.monotonic(), 0


class Session:
    """One connection to a server, used by one thread.

    Transports derive from it. All paths are under the base and made of checked names.

    Attributes
    ----------
    batch : int
        How many files of one folder are best fetched in one go.
    lists_trees : bool
        Whether `tree` takes no longer than `list`.
    knows_missing : bool
        Whether NotThereError can be believed; a web server may send its home page for a missing folder.
    """

    batch = 1
    knows_missing = True
    lists_trees = False

    def list(self, folder):
        """Return the entries of a folder (str, "" for the base itself) as the server names them."""
        raise NotImplementedError

    def tree(self, folder):
        """Return (folder below, "" for this one, and Entry) for what a folder and those in it hold.

        Only asked of a transport that `lists_trees`.
        """
        raise NotImplementedError

    def size(self, file):
        """Ask for the size of one RemoteFile; what the listing said if the server does not tell."""
        return file.size

    def fetch(self, files, incoming, moved):
        """Fetch RemoteFiles of one folder.

        Parameters
        ----------
        files : list of RemoteFile
            At most `batch` of them, of one folder.
        incoming : Incoming
            The claimed folder that takes what is half there.
        moved : callable
            `moved(n)` is told of bytes as they come; raises StoppedError when the run is over.

        Yields
        ------
        (RemoteFile, TransferError or None)
            Each file once, when it has its name or why it has not.
        """
        for file in files:
            try:
                self.fetch_one(file, incoming.part(file), moved)
            except TransferError as error:
                yield file, error
            else:
                yield file, None

    def fetch_one(self, file, part, moved):
        """Fetch one file into its Part and finish it; TransferError if it does not come."""
        raise NotImplementedError

    def abort(self):
        """End what is under way; called from another thread."""

    def close(self):
        """Leave the server."""
