"""Metrics of the user's own: functions in Python files beside the configuration.

``metrics`` names them like others, ``metric_functions`` says where the functions are. A run has a
copy of the files; :mod:`forerun.runs.metric_functions` executes them, if they are trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from forerun.config import schema

#: Names of metrics, and of functions in files: ``my_metrics.cost``.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")
FUNCTION = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,99})\.([A-Za-z_][A-Za-z0-9_]{0,99})")
#: Folder of a run with the files, covered by its seal.
FOLDER = "code"
#: Names of other metrics and columns of tables.
TAKEN = re.compile(
    r"(coverage|width|winkler)_level.*|mqloss|scaled_crps|wql|model|rank|skill|status|reason|metric"
    r"|unique_id|train_seconds|cv_seconds|peak_memory_mb"
)
#: The metric that the weights of the ensemble are learned with if models are chosen by an own one.
SURROGATE = "mae"


@dataclass(frozen=True)
class Definition:
    """A metric of the user's own.

    Attributes
    ----------
    function : file without ending, and function: ``my_metrics.cost``
    greater_is_better : whether the function's values are recorded with the opposite sign
    file : path of the file when the run was created
    sha256 : checksum of the file; None before a run is created
    """

    name: str
    function: str
    greater_is_better: bool = False
    file: str | None = None
    sha256: str | None = None

    def item(self) -> dict[str, Any]:
        """Return the definition as written in ``metric_functions``."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @property
    def words(self) -> str:
        """The metric in words, for reports."""
        sign = "the opposite sign of " if self.greater_is_better else ""
        return f"A metric of your own: {sign}the function {self.function}"

    @property
    def file_name(self) -> str:
        return f"{self.function.partition('.')[0]}.py"


def definitions(settings: Mapping[str, Any]) -> list[Definition]:
    """Return the own metrics of resolved settings."""
    return [Definition(name, **item) for name, item in _items(settings).items()]


def _items(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _mapping(item) for name, item in (settings.get("metric_functions") or {}).items()}


def _mapping(item: Any) -> Any:
    """Return an item of ``metric_functions`` in its long form."""
    return {"function": item} if isinstance(item, str) else item


# -- Settings -------------------------------------------------------------------------------------


def located(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the settings of a file in `folder`, with the files of own metrics beside it."""
    items = settings.get("metric_functions")
    if not isinstance(items, dict):
        return settings
    found = {}
    for name, item in items.items():
        item = _mapping(item)
        named = FUNCTION.fullmatch(str(item.get("function"))) if isinstance(item, dict) else None
        if named and not item.get("file"):
            item = {**item, "file": str(folder / f"{named[1]}.py")}
        found[name] = item
    return {**settings, "metric_functions": found}


def expanded(settings: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return ``metric_functions`` as full mappings, and one sentence for each problem."""
    items = settings["metric_functions"]
    if items is None or items == {}:
        return None, []
    if not isinstance(items, Mapping):
        return None, [f"metric_functions is {schema.show(items)}; it must be a mapping"]
    named = settings["metrics"] if isinstance(settings["metrics"], list) else []
    found, wrong = {}, []
    for name, item in items.items():
        item = _mapping(item)
        if problem := _problem(name, item):
            wrong.append(f"metric_functions: {problem}")
            continue
        definition = Definition(name, **item)
        file = definition.file or definition.file_name
        found[name] = replace(definition, file=file).item()
    files: dict[str, Any] = {}
    for one in definitions({"metric_functions": found}):
        if files.setdefault(one.file_name, one.file) != one.file:
            wrong.append(f"metric_functions has two files with the name {one.file_name}")
    twice = [name for name in found if named.count(name) > 1]
    wrong += [f"metrics contains '{name}' more than once" for name in twice]
    unused = [name for name in found if name not in named]
    wrong += [f"metric_functions has '{name}', which is not one of metrics" for name in unused]
    if settings["sort_metric"] in list(found) and SURROGATE not in named:
        wrong.append(
            f"sort_metric is '{settings['sort_metric']}'; add {SURROGATE} to metrics, which the "
            "weights of the ensemble are learned with"
        )
    return found, wrong


def _problem(name: str, item: Any) -> str:
    """Return what is wrong with a definition; empty if nothing is."""
    rules = schema.properties()
    if not NAME.fullmatch(name) or TAKEN.fullmatch(name):
        return f"the name {schema.show(name)} is not allowed: letters, digits and '_', at most 50"
    if name in rules["metrics"]["items"]["enum"]:
        return f"'{name}' is the name of a metric of Forerun; choose another"
    allowed = Definition.__dataclass_fields__.keys() - {"name"}
    if not isinstance(item, Mapping) or item.keys() - allowed:
        return f"{name} is {schema.show(item)}; it must be FILE.FUNCTION or a mapping"
    if not FUNCTION.fullmatch(str(item.get("function"))):
        return (
            f"{name} is {schema.show(item.get('function'))}; it must be FILE.FUNCTION, such as "
            "my_metrics.cost for the function cost in my_metrics.py"
        )
    if not isinstance(item.get("greater_is_better", False), bool):
        return f"greater_is_better of {name} must be true or false"
    texts = [item.get(key) for key in ("file", "sha256")]
    if any(text is not None and (not isinstance(text, str) or len(text) > 4096) for text in texts):
        return f"file and sha256 of {name} must be strings"
    return ""


def functions_of(items: Any) -> dict[str, tuple[str, bool]]:
    """Return the function of each metric and whether greater is better, without the files."""
    made = definitions({"metric_functions": items})
    return {one.name: (one.function, one.greater_is_better) for one in made}


def wrong_frozen(items: Any) -> str:
    """Return what is wrong with the definitions in a run's configuration; empty if nothing is."""
    if items is None:
        return ""
    if not isinstance(items, dict) or len(items) > 1000:
        return "it must be a mapping of metrics"
    return next((wrong for name, item in items.items() if (wrong := _problem(str(name), item))), "")


def without_own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose metrics the schema can check: without those of the user's own.

    Parameters
    ----------
    settings : with ``metric_functions`` as full mappings
    """
    own, metrics = list(settings["metric_functions"] or {}), settings["metrics"]
    if not own or not isinstance(metrics, list):
        return dict(settings)
    spare = [n for n in schema.properties()["metrics"]["items"]["enum"] if n not in metrics]
    taken = {name: spare.pop() for name in own if spare and name in metrics}  # keep the places
    once = [name for i, name in enumerate(metrics) if name not in own or name not in metrics[:i]]
    shown = [taken.get(name, name) if isinstance(name, str) else name for name in once]
    ordering = settings["sort_metric"]
    return {
        **settings,
        "metrics": [name for name in shown if name not in own],
        "sort_metric": SURROGATE if ordering in own else ordering,
    }
