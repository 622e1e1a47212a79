"""What can be wrong with an input, and how it is said.

Every room raises or records these; none of them is ever a bare message. A problem names the file,
what was found there and, where it helps, what would have worked.
"""

from dataclasses import dataclass


class PulsauroraError(Exception):
    """Base of every error that pulsaurora raises for bad input, settings or models."""


class UnreadableFileError(PulsauroraError, ValueError):
    """A file cannot be read as what it should be; the message begins with its name."""


class ContractError(PulsauroraError, ValueError):
    """An array, table or model does not meet its contract; the message says what differs."""


class UsageError(PulsauroraError, ValueError):
    """A command or call was given arguments that cannot be carried out."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was wrong with one input, while the work went on.

    Attributes
    ----------
    path : str
        The file or folder.
    reason : str
        What was found, in words a user can act on.
    n_frames_kept : int
        Good frames read from it all the same.
    """

    path: str
    reason: str
    n_frames_kept: int = 0

    def __str__(self):
        return f"{self.path}: {self.reason}"
