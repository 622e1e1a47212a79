"""Which nights are one machine's, when several share a batch with nothing between them but a number each."""

import re
import zlib
from typing import NamedTuple

from pulsaurora.problems import UsageError


class Shard(NamedTuple):
    """Part `number` of `of`, counted from 1.

    Each site's dates go round the shards one after the other, and each site begins at another shard, which a
    checksum of its name tells. So where a night goes depends on its site and date alone: nights that are
    added to the archive move none of the others, and machines need not agree on anything. A winter has long
    runs of dates, which dealing out shares more evenly than a digest of the night's name would: of 3,000
    nights of 20 sites, 8 shards get 372 to 377 each (330 to 408 by SHA-256), 64 shards 43 to 52 (29 to 62).
    All imagers of a site on a date go together.
    """

    number: int
    of: int

    def takes(self, site, date):
        """Whether a night is of this shard; an empty site is for archives that are listed by date alone."""
        return (zlib.crc32(site.encode()) + date.toordinal()) % self.of == self.number - 1

    def __str__(self):
        return f"{self.number}/{self.of}"


def parse_shard(text):
    """Return the Shard that `3/8` names, or None for None.

    Raises
    ------
    UsageError
        If it is not of this form, or the first number is not from 1 to the second.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text!r}: write it as 3/8, the third of eight parts; parts count from 1")
    return Shard(int(match[1]), int(match[2]))
