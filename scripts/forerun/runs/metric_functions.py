"""The functions of own metrics: copied into the run, executed only if they are trusted.

A run may come from elsewhere. A file is trusted if it was part of a configuration that created a
run on this machine, or by ``--trust`` (:mod:`forerun.runs.trusted`).
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from forerun.base.bounded import read_text
from forerun.base.errors import UserError
from forerun.base.files import write_text
from forerun.config.own_metrics import FOLDER, Definition, definitions
from forerun.runs.state import is_sealed
from forerun.runs.trusted import is_trusted, trust

Floats = npt.NDArray[np.float64]

#: Arguments that a function may have besides `actual` and `forecast`.
OPTIONAL = ("scale", "quantiles", "step_weights")
#: Largest file, in bytes.
LARGEST = 1_000_000


@dataclass(frozen=True)
class OwnMetric:
    """A loaded function.

    Attributes
    ----------
    function : called with `actual` and `forecast`, shape (series, windows, steps)
    arguments : which of :data:`OPTIONAL` it takes
    """

    definition: Definition
    function: Callable[..., Any]
    arguments: tuple[str, ...]

    @property
    def needs_scale(self) -> bool:
        return "scale" in self.arguments

    def errors(
        self,
        actual: Floats,
        forecast: Floats,
        scale: Floats | None = None,
        quantiles: Mapping[float, Floats] | None = None,
        step_weights: Floats | None = None,
    ) -> Floats:
        """Return the error of each series and window, the lower the better; NaN if undefined.

        Raises
        ------
        UserError
            The function fails, or returns something else.
        """
        given = {"scale": scale, "quantiles": quantiles, "step_weights": step_weights}
        if given["quantiles"] is None and "quantiles" in self.arguments:
            return np.full(actual.shape[:2], np.nan)  # a model without intervals
        copies = [array.copy() for array in (actual, forecast)]  # the function may change them
        more = {key: copy.deepcopy(given[key]) for key in self.arguments}
        name = self.definition.name
        try:
            with np.errstate(all="ignore"):
                found = _numbers(self.function(*copies, **more))
        except BaseException as error:  # SystemExit and the like as well, raised by the function
            raise UserError(
                f"metric '{name}': {self.definition.function} failed: {_reason(error)}"
            ) from error
        if found.shape != actual.shape[:2]:
            raise UserError(
                f"metric '{name}': {self.definition.function} returned an array of shape "
                f"{found.shape}; it must return one error for each series and window, here "
                f"{actual.shape[:2]}"
            )
        found = -found if self.definition.greater_is_better else found
        return np.where(np.isfinite(found), found, np.nan)


def _reason(error: BaseException) -> str:
    """Return the class and the message of an error of the user's code, in one line."""
    message = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {message}".removesuffix(": ")


def _numbers(value: Any) -> Floats:
    """Return what a function returned as an array; masked values are missing."""
    if np.ma.is_masked(value):
        value = value.astype(float).filled(np.nan)
    array = np.asarray(value)
    if array.dtype.kind in "cUSmM":  # numpy would drop the imaginary part, or read a string
        raise TypeError(f"it returned values of type {array.dtype}, not real numbers")
    return np.asarray(array, dtype=float)


def load(definition: Definition, source: str) -> OwnMetric:
    """Execute a file and return its function.

    Parameters
    ----------
    source : content of the file

    Raises
    ------
    UserError
        The file cannot be executed, or has no such function.
    """
    module, name = definition.function.split(".")
    what = f"metric '{definition.name}': {definition.file_name}"
    made = types.ModuleType(f"forerun_metric_{module}")
    sys.modules[made.__name__] = made  # dataclasses and the like look their module up
    try:
        exec(compile(source, definition.file_name, "exec"), made.__dict__)
    except BaseException as error:
        raise UserError(f"{what} cannot be imported: {_reason(error)}") from error
    function = made.__dict__.get(name)
    if not callable(function):
        state = "is not a function" if name in made.__dict__ else "does not exist"
        raise UserError(f"{what}: '{name}' {state}")
    return OwnMetric(definition, function, _arguments(function, what, name))


def _arguments(function: Callable[..., Any], what: str, name: str) -> tuple[str, ...]:
    """Return the optional arguments that a function takes; refuse another signature."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise UserError(f"{what}: the arguments of '{name}' cannot be read ({error})") from None
    optional = [p.name for p in parameters[2:] if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in parameters[2:] if p.default is p.empty and p.name in optional]
    positional = all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters[:2])
    strange = [one for one in needed if one not in OPTIONAL]
    if len(parameters) < 2 or not positional or strange:
        raise UserError(
            f"{what}: '{name}' must take actual and forecast, and of {', '.join(OPTIONAL)} those "
            f"that it needs{'; not ' + ', '.join(strange) if strange else ''}"
        )
    return tuple(one for one in optional if one in OPTIONAL)


def probe(metric: OwnMetric, settings: Mapping[str, Any]) -> None:
    """Call a function on a few numbers; refuse one that does not return finite numbers.

    Raises
    ------
    UserError
        Names the metric and what it returned.
    """
    definition, levels = metric.definition, settings["levels"]
    if "quantiles" in metric.arguments:
        if not levels:
            raise UserError(f"metric '{definition.name}' takes quantiles; set levels")
        if settings["sort_metric"] == definition.name:
            raise UserError(
                f"sort_metric is '{definition.name}', which takes quantiles; models are combined "
                "by point forecasts, use another metric"
            )
    random = np.random.default_rng(1)
    actual = random.uniform(1, 10, (2, 3, int(settings["horizon"])))
    forecast = actual + random.normal(size=actual.shape)
    given = settings.get("horizon_weight") or None
    steps = None if given is None else np.asarray(given, dtype=float)
    found = metric.errors(
        actual, forecast, np.ones((2, 3)), dict.fromkeys(quantiles(levels), forecast), steps
    )
    if not np.isfinite(found).all():
        raise UserError(
            f"metric '{definition.name}': {definition.function} returned {found.ravel()[0]} on a "
            "trial; it must return finite numbers"
        )


def quantiles(levels: list[float]) -> list[float]:
    """Return the quantiles of intervals, sorted: 0.1 and 0.9 for the level 80."""
    return sorted({round(side, 6) for level in levels for side in sides(level)})


def sides(level: float) -> tuple[float, float]:
    """Return the quantiles of the limits of a level."""
    tail = (100 - level) / 200
    return round(tail, 6), round(1 - tail, 6)


def check(settings: Mapping[str, Any]) -> None:
    """Load and try the functions of new settings, before anything starts."""
    for definition in definitions(settings):
        probe(load(definition, read_source(definition)), settings)


def read_source(definition: Definition) -> str:
    """Read the file of a user's own metric; refuse one with another checksum than recorded."""
    path = Path(definition.file or definition.file_name)
    if not path.is_file():
        raise UserError(f"metric '{definition.name}': '{path}' does not exist")
    source = read_text(path, LARGEST)
    if definition.sha256 not in (None, checksum(source)):
        raise UserError(f"metric '{definition.name}': '{path}' was changed; its sha256 differs")
    return source


def checksum(source: str) -> str:
    """Return the sha256 of a file's content."""
    return hashlib.sha256(source.encode()).hexdigest()


# -- Files ----------------------------------------------------------------------------------------


def recorded(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``metric_functions`` with absolute paths and checksums, for a new run."""
    found = {}
    for one in definitions(settings):
        file = str(Path(one.file or one.file_name).absolute())
        complete = replace(one, file=file, sha256=checksum(read_source(one)))
        found[one.name] = complete.item()
    return found or None


def freeze(run: Path, settings: Mapping[str, Any]) -> None:
    """Copy the files into a new run, and remember that they are trusted.

    Parameters
    ----------
    settings : completed, with the checksums of the files
    """
    for one in definitions(settings):
        source = read_source(one)
        probe(load(one, source), settings)
        (run / FOLDER).mkdir(exist_ok=True)
        write_text(run / FOLDER / one.file_name, source)
        trust(checksum(source))


def functions(run: Path, settings: Mapping[str, Any]) -> dict[str, OwnMetric]:
    """Load the own metrics of a run from its copies.

    Raises
    ------
    UserError
        A file is missing, differs from its checksum in the configuration, or is not trusted.
    """
    return {one.name: load(one, _trusted_source(run, one)) for one in definitions(settings)}


def refuse_untrusted(run: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a run with code from elsewhere before anything starts, unless it is sealed."""
    if not is_sealed(run):
        for one in definitions(settings):
            _trusted_source(run, one)


def _trusted_source(run: Path, one: Definition) -> str:
    source = _frozen_source(run, one)
    if not is_trusted(checksum(source)):
        raise UserError(
            f"run '{run.name}' has the metric '{one.name}', code from elsewhere in "
            f"{FOLDER}/{one.file_name}, which is not executed; read it and, if you trust it, use "
            f"'train --run-id {run.name} --trust' or 'reproduce {run.name} --trust'"
        )
    return source


def _frozen_source(run: Path, one: Definition) -> str:
    frozen = replace(one, file=str(run / FOLDER / one.file_name))
    if one.sha256 is None:
        raise UserError(f"run '{run.name}' does not record the file of metric '{one.name}'")
    return read_source(frozen)


def of_run(run: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``metric_functions`` for a new run with the files of a run, if they are trusted."""
    found = {}
    for one in definitions(settings):
        _trusted_source(run, one)
        own = replace(one, file=str((run / FOLDER / one.file_name).absolute()))
        found[one.name] = own.item()
    return found or None


def refuse_changed(run: Path, frozen: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse files of a call that differ from those in the run."""
    then = {one.name: one for one in definitions(frozen)}
    for one in definitions(asked):
        path = Path(one.file or one.file_name)
        known = then.get(one.name)
        if known and path.is_file() and checksum(read_text(path, LARGEST)) != known.sha256:
            raise UserError(
                f"run '{run.name}' exists with another '{path.name}' (metric '{one.name}'); "
                "choose another run id"
            )


def trust_run(run: Path, settings: Mapping[str, Any]) -> list[str]:
    """Trust the code of a run (``--trust``); return its files."""
    for one in definitions(settings):
        trust(checksum(_frozen_source(run, one)))
    return sorted({f"{FOLDER}/{one.file_name}" for one in definitions(settings)})
