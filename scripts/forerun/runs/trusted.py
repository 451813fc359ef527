"""Checksums of code that may be executed: in a folder of the user, never next to the runs.

A run, or a folder of runs, may come from an untrusted source; nothing in it can make code trusted.
"""

from __future__ import annotations

import os
from pathlib import Path

from forerun.base.errors import UserError

#: Environment variable with the folder of trusted checksums.
VARIABLE = "FORERUN_TRUSTED"


def trusted_folder() -> Path:
    """Return the folder of trusted checksums: of the user, or of ``FORERUN_TRUSTED``."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "forerun" / "trusted"


def trust(sha256: str) -> None:
    """Remember that code with this checksum may be executed."""
    path = trusted_folder() / sha256
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise UserError(
            f"'{path.parent}' cannot be written ({error.strerror}); set {VARIABLE} to a folder for "
            "the checksums of trusted code"
        ) from None


def is_trusted(sha256: str) -> bool:
    """Return whether code with this checksum may be executed."""
    return (trusted_folder() / sha256).is_file()
