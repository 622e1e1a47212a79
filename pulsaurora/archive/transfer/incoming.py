"""Files on their way: kept under a hidden folder beside their place until they are whole.

`FOLDER/.incoming/NAME` holds what has come of `FOLDER/NAME`, and `NAME.note` from which state of the server's
file. Nothing else ever writes `FOLDER/NAME`, so what bears its name is whole, whenever and however a run was
ended. A lock that dies with its process keeps two runs from writing one file.
"""

import contextlib
import json
import os
import threading
from pathlib import Path

from pulsaurora.archive.files import make_folder
from pulsaurora.archive.transfer.names import begins_rightly
from pulsaurora.archive.transfer.remote import MAX_FILE_BYTES, RefusedError, TransferError

FOLDER = ".incoming"
_LOCK = "lock"
# Resuming asks for the last bytes again: a server that takes the wrong place, a file that has changed and a
# part that the machine lost the end of all show there.
OVERLAP = 1024


def is_whole(local, size):
    """Tell whether a file under its own name has an allowed size and begins as it should."""
    try:
        with open(local, "rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            return n_bytes > 0 and size.allows(n_bytes) and begins_rightly(local.name, file.read(8)) is None
    except OSError:
        return False


class Incoming:
    """The claimed `.incoming` of one folder; made by `claim`."""

    def __init__(self, folder, lock):
        self.folder = folder
        self.lock = lock  # open file that holds the lock; whoever writes here must keep it open

    def part(self, file):
        return Part(file, self.folder)


class Part:
    """What has come of one file.

    Parameters
    ----------
    file : RemoteFile
    folder : Path
        The claimed `.incoming`.
    """

    def __init__(self, file, folder):
        self.file = file
        self.path = folder / file.name
        self._note = folder / f"{file.name}.note"

    def held(self):
        """Bytes that have come; 0 if there is no part."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def note(self):
        """What `begin` was told of the file that the part is from; {} if nothing is known."""
        try:
            note = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def begin(self, note):
        """Drop what is held and write down what will come."""
        self.discard()
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def forget(self):
        """Keep the part, but not what is known of it: a transport that needs no note will write it."""
        self._note.unlink(missing_ok=True)

    def discard(self):
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def receive(self, chunks, start, size, moved):
        """Write what comes.

        Parameters
        ----------
        chunks : iterable of bytes
        start : int
            Place of the first byte; what is held beyond it must come again the same.
        size : Size
            More is refused.
        moved : callable

        Raises
        ------
        TransferError
            If the bytes begin wrongly, differ from those held, or are too many; the part is dropped then.
        """
        held = self.held()
        at = start
        with open(self.path, "r+b" if held else "wb") as out:
            for chunk in chunks:
                moved(len(chunk))
                if at == 0 and (wrong := begins_rightly(self.file.name, chunk[:8])) and len(chunk) >= 8:
                    break
                if at < held:
                    out.seek(at)
                    known = out.read(min(len(chunk), held - at))
                    if chunk[: len(known)] != known:
                        wrong = f"came differently from byte {at} on than before"
                        break
                    at += len(known)
                    chunk = chunk[len(known) :]
                out.seek(at)
                out.write(chunk)
                at += len(chunk)
                if at > min(size.high, MAX_FILE_BYTES):
                    wrong = f"has more than the {size} it was said to have"
                    break
            else:
                return
        self.discard()
        raise TransferError(wrong)

    def finish(self, size, modified=None):
        """Give the file its name if it is whole.

        Parameters
        ----------
        size : Size
            What the server said when it sent the file; the listing's word is checked as well.
        modified : float, optional
            Seconds since 1970; becomes the file's own time, as rsync would set it.

        Raises
        ------
        TransferError
            If it is not whole. A part that more bytes can mend is kept.
        """
        n_bytes = self.held()
        if n_bytes == 0:
            self.discard()
            raise TransferError("came empty")
        with open(self.path, "rb") as file:
            wrong = begins_rightly(self.file.name, file.read(8))
        if wrong:
            self.discard()
            raise TransferError(wrong)
        for said, who in ((size, "the server"), (self.file.size, "the listing")):
            if not said.allows(n_bytes):
                if n_bytes > said.high:
                    self.discard()
                raise TransferError(f"came with {n_bytes} bytes, {who} says {said}")
        if modified is not None:
            # A time that the file system cannot hold is no reason to refuse the file.
            with contextlib.suppress(OSError, OverflowError, ValueError):
                os.utime(self.path, (modified, modified))
        os.replace(self.path, self.file.local)
        self._note.unlink(missing_ok=True)


class Claims:
    """The `.incoming` folders that this run writes to, each held as long as any thread is at it."""

    def __init__(self):
        self._guard = threading.Lock()
        self._held = {}  # folder -> [number of threads, Incoming]

    @contextlib.contextmanager
    def claim(self, folder):
        """Hold `folder/.incoming` against other runs; it is gone afterwards if nothing is left in it.

        Yields
        ------
        Incoming

        Raises
        ------
        TransferError
            If another run holds it.
        """
        place = Path(folder) / FOLDER
        with self._guard:
            if place not in self._held:
                self._held[place] = [0, Incoming(place, _lock(place))]
            held = self._held[place]
            held[0] += 1
        try:
            yield held[1]
        finally:
            with self._guard:
                held[0] -= 1
                if not held[0]:
                    del self._held[place]
                    _release(held[1])

    def tidy(self, folder):
        """Remove what an ended run has left of files that are whole by now."""
        if not (Path(folder) / FOLDER).is_dir():
            return
        with contextlib.suppress(TransferError, OSError), self.claim(folder) as incoming:
            for left in list(incoming.folder.iterdir()):
                if left.name != _LOCK and (Path(folder) / left.name.removesuffix(".note")).exists():
                    left.unlink()


def _lock(place):
    path = place / _LOCK
    for _ in range(100):
        try:
            make_folder(place)
            lock = open(path, "a+b")  # noqa: SIM115 (held by the Incoming)
        except FileNotFoundError:
            continue  # another run has just tidied it away
        except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise RefusedError(f"cannot be written under {place.parent}: {error.strerror or error}") from None
        try:
            taken = _try_lock(lock)
        except BaseException:
            lock.close()
            raise
        if not taken:
            lock.close()
            raise TransferError("another run is fetching into the same folder")
        # Whoever held it before may have removed it since it was opened.
        try:
            if os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
                return lock
        except OSError:
            pass
        lock.close()
    raise TransferError(f"{path} cannot be locked")


def _try_lock(lock):
    try:
        import fcntl
    except ImportError:
        import msvcrt

        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks; two runs at once are then the user's to avoid
    return True


def _release(incoming):
    path = incoming.folder / _LOCK
    # Where an open file cannot be removed (Windows) it goes after it is closed.
    with contextlib.suppress(OSError):
        path.unlink()
    incoming.lock.close()
    with contextlib.suppress(OSError):
        if os.name == "nt":
            path.unlink(missing_ok=True)
        os.rmdir(incoming.folder)
