"""Typed readers of the JSON files of a run.

Runs may be damaged or untrusted: values of the wrong type count as missing.
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
    "warm_start": {"run_id": str, "seal": str, "models": [str]},
    "data": {
        "file": str, "sha256": str, "frozen_sha256": str, "columns_sha256": {"*": str},
        "tables_sha256": {"*": str},
        "series": int, "rows": int, "start": (str, int), "end": (str, int), "notes": [str],
    },
}  # fmt: skip
_SOURCE = {"data": {"file": str, "sha256": str}}
_SESSION = {"pid": int, "create_time": float, "host": str, "user": str, "started_at": str}
#: Selection of the model of each series.
_CHOICE = {"overall": str, "per_series": bool}
_ENSEMBLE = {
    "method": str, "metric": str, "chosen_by": str, "size": int, "windows": int, "note": str,
    "members": [str], "robust": str,
    "shares": {"*": float}, "weights": {"*": float}, "weights_by_series": {"*": float},
    "weights_by_window": [dict], **dict.fromkeys(spellings(PER_SERIES), _CHOICE),
}  # fmt: skip
_PLOTS = {"plots": [dict]}
_PLOT = {"name": str, "kind": str, "unique_id": str, "model": str, "role": str, "files": {"*": str}}
#: Largest process id.
_LAST_PROCESS = 2**31 - 1
_MOMENT = re.compile(r"[0-9T :.+Z-]{10,40}")


def read_provenance(folder: str | Path) -> dict[str, Any]:
    """Read a run's ``provenance.json``; the mapping ``data`` always exists."""
    provenance = {"data": {}} | read_mapping(Path(folder) / "provenance.json", _PROVENANCE)
    if not is_moment(provenance.get("created_at")):
        provenance.pop("created_at", None)
    return provenance


def read_source(folder: str | Path) -> tuple[str | None, str]:
    """Return checksum and name of the table that a run was made of, from its provenance."""
    found = read_mapping(f"{folder}/provenance.json", _SOURCE).get("data", {})
    return found.get("sha256"), os.path.basename(found.get("file", "data"))


def damage(path: str | Path) -> str:
    """Return why a JSON file that exists cannot be read; empty if it can."""
    if not os.path.lexists(path):
        return ""
    try:
        parse_json(read_text(path))
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    except ValueError as error:
        return f"is not JSON ({error})"
    return ""


def is_moment(text: Any) -> bool:
    """Return whether a value looks like a time written by Forerun."""
    return isinstance(text, str) and _MOMENT.fullmatch(text) is not None


def read_session(path: str | Path) -> dict[str, Any]:
    """Read the record of the process that uses a run; empty if missing or invalid."""
    record = read_mapping(path, _SESSION)
    return record if 0 < record.get("pid", 0) <= _LAST_PROCESS else {}


def read_ensemble(folder: str | Path) -> dict[str, Any]:
    """Read a run's ``ensemble.json``; empty if there is none."""
    return read_mapping(Path(folder) / "ensemble.json", _ENSEMBLE)


def sealed_files(folder: str | Path) -> dict[str, str]:
    """Read the checksums of the files in a run's seal, even if the seal is damaged."""
    return read_mapping(Path(folder) / "SEALED", {"sha256": {"*": str}}).get("sha256", {})


def read_plots(folder: str | Path) -> list[dict[str, Any]]:
    """Read the index of a folder of plots; empty if there is none."""
    index = read_mapping(Path(folder) / "index.json", _PLOTS)
    return [shaped(plot, _PLOT) for plot in index.get("plots", [])]


def plot_labels(folder: str | Path, name: str) -> dict[str, str]:
    """Return the labels of a plot from the index in its folder: kind, subject, role."""
    plot = next((plot for plot in read_plots(folder) if plot.get("name") == name), {})
    subject = plot.get("unique_id") or plot.get("model") or "all models"
    kind = (plot.get("kind") or name).replace("_", " ")
    return {"plot": kind, "of": subject, "chosen as": plot.get("role") or "–"}
