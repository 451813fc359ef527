"""Checkpoints of long fits: the state of a training, saved so that a killed fit can resume.

A checkpoint is next to the lease of its fit, outside of the outputs that Snakemake removes after a
failed job. It consists of one line of JSON and the engine's state. It is used only by the same fit
(fingerprint) of the same user and only if it is intact; otherwise it is reported and ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from forerun.base.bounded import LARGE, Damaged, open_regular, parse_json, shaped
from forerun.base.files import replacing
from forerun.config.engines import ENGINES
from forerun.config.models import ModelSpec

#: Maximum length of the first line in bytes.
_LINE = 4096
_SHAPE = {"key": str, "sha256": str, "step": int, "max_steps": int, "deaths": int}


@dataclass(frozen=True)
class Header:
    """The first line of a checkpoint.

    Attributes
    ----------
    key : fingerprint of the fit
    sha256 : checksum of the state
    step, max_steps : completed training steps, and their total
    deaths : killed attempts before the one that saved this checkpoint
    """

    key: str
    sha256: str
    step: int
    max_steps: int
    deaths: int = 0

    @property
    def words(self) -> str:
        return f"resumed at step {self.step} of {self.max_steps}"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint file of a fit and its interval.

    Attributes
    ----------
    path : file of the checkpoint
    key : fingerprint of the fit
    seconds : time between two checkpoints
    deaths : killed attempts of the fit so far
    """

    path: str
    key: str
    seconds: float
    deaths: int = 0

    def write(self, step: int, max_steps: int, state: memoryview | bytes) -> None:
        """Save the state of a training, replacing the last one."""
        sha256 = hashlib.sha256(state).hexdigest()
        header = Header(self.key, sha256, step, max_steps, self.deaths)
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            file.write(json.dumps(asdict(header)).encode() + b"\n")
            file.write(state)

    def header(self) -> Header | None:
        """Return the header of an intact checkpoint of this fit; None if there is none.

        Raises
        ------
        Damaged
            The checkpoint is damaged or belongs to another fit or user.
        """
        if not os.path.lexists(self.path):
            return None
        with open_regular(self.path, LARGE) as file:
            header = self._checked(file)
            if hashlib.file_digest(file, "sha256").hexdigest() != header.sha256:  # type: ignore[arg-type]
                raise Damaged(f"{self.path}: is damaged")
        return header

    def read(self, most: int) -> tuple[Header, bytes] | None:
        """Return header and state of the checkpoint; None if there is none.

        Parameters
        ----------
        most : maximum size of the state in bytes

        Raises
        ------
        Damaged
            See :meth:`header`; or the state is too large.
        """
        if not os.path.lexists(self.path):
            return None
        with open_regular(self.path, most + _LINE) as file:
            header = self._checked(file)
            state = file.read(most + 1)
        if hashlib.sha256(state).hexdigest() != header.sha256:
            raise Damaged(f"{self.path}: is damaged")
        return header, state

    def _checked(self, file: IO[bytes]) -> Header:
        """Read the first line; refuse a checkpoint of another user or fit."""
        if os.fstat(file.fileno()).st_uid != os.getuid():
            raise Damaged(f"{self.path}: belongs to another user")
        try:
            header = Header(**shaped(parse_json(file.readline(_LINE).decode()), _SHAPE))
        except (ValueError, TypeError):
            raise Damaged(f"{self.path}: is damaged") from None
        if header.key != self.key:
            raise Damaged(f"{self.path}: belongs to a fit with other data, settings or versions")
        if not 0 < header.step < header.max_steps:
            raise Damaged(f"{self.path}: is damaged")
        return header

    def remove(self) -> None:
        """Remove the checkpoint, if there is one."""
        Path(self.path).unlink(missing_ok=True)


def is_supported(spec: ModelSpec) -> bool:
    """Return whether fits of a model can resume: those of networks."""
    return ENGINES[spec.engine].networks
