"""Typed readers of the JSON files of a run: a value of the wrong type counts as missing.

A run may be damaged or come from a stranger: no value read here has a type that breaks its reader.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from forerun.base.bounded import parse_json, read_text, shaped
from forerun.base.errors import UserError
from forerun.base.files import read_mapping
from forerun.config.names import PER_SERIES, spellings

_PROVENANCE = {
    "created_at": str, "created_by": str, "imported": bool, "seed": int, "python": str,
    "platform": str, "versions": {"*": str}, "git": {"commit": str, "dirty": bool},
    "data": {
        "file": str, "sha256": str, "frozen_sha256": str, "columns_sha256": {"*": str},
        "series": int, "rows": int, "start": (str, int), "end": (str, int), "notes": [str],
    },
}  # fmt: skip
_SESSION = {"pid": int, "create_time": float, "host": str, "user": str, "started_at": str}
#: How the model of each series is chosen.
_CHOICE = {"overall": str, "per_series": bool}
_ENSEMBLE = {
    "method": str, "metric": str, "size": int, "windows": int, "note": str, "members": [str],
    "shares": {"*": float}, "weights": {"*": float}, "weights_by_series": {"*": float},
    "weights_by_window": [dict], **dict.fromkeys(spellings(PER_SERIES), _CHOICE),
}  # fmt: skip
_PLOTS = {"plots": [dict]}
_PLOT = {"name": str, "kind": str, "unique_id": str, "model": str, "role": str, "files": {"*": str}}
#: Largest number of a process.
_LAST_PROCESS = 2**31 - 1
_MOMENT = re.compile(r"[0-9T :.+Z-]{10,40}")


def read_provenance(folder: str | Path) -> dict[str, Any]:
    """Read a run's ``provenance.json``; the mapping ``data`` is always there."""
    found = {"data": {}} | read_mapping(Path(folder) / "provenance.json", _PROVENANCE)
    if not is_moment(found.get("created_at")):
        found.pop("created_at", None)
    return found


def damage(path: str | Path) -> str:
    """Return why a JSON file that exists cannot be read; empty if it can."""
    if not os.path.lexists(path):
        return ""
    try:
        parse_json(read_text(path))
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    except ValueError as error:
        return f"is no JSON ({error})"
    return ""


def is_moment(text: Any) -> bool:
    """Return whether a value can be a time as Forerun writes it."""
    return isinstance(text, str) and _MOMENT.fullmatch(text) is not None


def read_session(path: str | Path) -> dict[str, Any]:
    """Read who works on a run; empty if nobody has said so as Forerun says it."""
    found = read_mapping(path, _SESSION)
    return found if 0 < found.get("pid", 0) <= _LAST_PROCESS else {}


def read_ensemble(folder: str | Path) -> dict[str, Any]:
    """Read a run's ``ensemble.json``; empty if there is none."""
    return read_mapping(Path(folder) / "ensemble.json", _ENSEMBLE)


def sealed_files(folder: str | Path) -> dict[str, str]:
    """Read the sha256 of each file that a run's seal names, even where it is damaged itself."""
    return read_mapping(Path(folder) / "SEALED", {"sha256": {"*": str}}).get("sha256", {})


def read_plots(folder: str | Path) -> list[dict[str, Any]]:
    """Read the index of a folder of plots; empty if there is none."""
    found = read_mapping(Path(folder) / "index.json", _PLOTS)
    return [shaped(plot, _PLOT) for plot in found.get("plots", [])]


def plot_labels(folder: str | Path, name: str) -> dict[str, str]:
    """Return what a picture is, of what, and why of that, from the index beside it."""
    plots = read_plots(folder)
    found = next((plot for plot in plots if plot.get("name") == name), {})
    of = found.get("unique_id") or found.get("model") or "all models"
    kind = (found.get("kind") or name).replace("_", " ")
    return {"plot": kind, "of": of, "chosen as": found.get("role") or "–"}
