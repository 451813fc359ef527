"""Reading untrusted compressed streams with bounds on total size and on each read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

#: Maximum bytes of one read (the name of an entry is one), and after the last entry.
_STEP, _AFTER = 16 * 1024**2, 1024**2
#: Maximum bytes of headers and padding.
_OVERHEAD = 2 * 1024**3
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


class Bounded:
    """The decompressed content of a file, for :mod:`tarfile`."""

    def __init__(self, file: IO[bytes], limit: int):
        self.file, self.limit = file, limit + _OVERHEAD

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes; a malicious header may request too many."""
        if not 0 <= size <= _STEP:
            raise tarfile.ReadError("the header of an entry is too long")
        self._check(self.tell() + size)
        return self.file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 0:
            self._check(place)
        return self.file.seek(place, whence)

    def tell(self) -> int:
        return self.file.tell()

    def drain(self) -> None:
        """Read to the end of the stream, which verifies its checksum."""
        rest = 0
        while chunk := self.file.read(65536):
            rest += len(chunk)
            if rest > _AFTER:
                raise tarfile.ReadError("there are data after the last entry")

    def _check(self, place: int) -> None:
        if place > self.limit:
            raise tarfile.ReadError("it is larger than the sizes of its entries")


@contextmanager
def opened(path: Path, limit: int) -> Iterator[Bounded]:
    """Open a file, uncompressed or compressed with gzip, bzip2 or xz.

    Parameters
    ----------
    limit : maximum bytes of decompressed content, without headers
    """
    with path.open("rb") as raw:
        begin = raw.read(6)
    opener = next((o for magic, o in _OPENERS.items() if begin.startswith(magic)), open)
    with opener(path, "rb") as file:
        yield Bounded(file, limit)
