"""Settings: resolving (defaults and validation), comparing and writing them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.base.resources import DATA
from forerun.base.yaml_files import load_yaml, to_yaml
from forerun.config import (
    calendar,
    categories,
    models,
    own_metrics,
    presets,
    schema,
    search,
    search_checks,
    seeds,
    windows,
)
from forerun.config.coercion import coerce, plain
from forerun.config.frozen import read_frozen
from forerun.config.names import LARGEST_WEIGHT, SERIES_WEIGHT, SMALLEST_WEIGHT

__all__ = ["differences", "disagreements", "dump", "load_yaml", "read_frozen", "resolve"]

_TOLERATED = {"pathvars"}  # Snakemake's own key in its configuration
_MODEL_KEYS = ("models", "baselines")
_EXPANDED = (*_MODEL_KEYS, "search")
_TABLES = ("data_file", "static_file", "futr_file", "weights_file")
_ROLES = ("id_col", "time_col", "target_col", "hist_exog", "futr_exog", "stat_exog")
_OWN_COLUMNS = {"unique_id", "ds", "y", "cutoff"}


def resolve(
    asked: Mapping[str, Any],
    where: str = "configuration",
    timings: presets.Timings | None = None,
    explicit: Collection[str] = (),
) -> dict[str, Any]:
    """Fill in defaults, validate, and expand models to full mappings.

    Idempotent: ``resolve(resolve(x)) == resolve(x)``.

    Parameters
    ----------
    asked
        Any keys of ``workflow/schemas/config.schema.yaml``. Lists may be comma-separated strings,
        as given on a command line.
    where
        Origin of `asked`, for messages.
    timings
        Times of earlier fits, for a preset with a time limit.
    explicit
        Keys that a preset keeps even if they have their default.

    Returns
    -------
    dict
        All keys, in the schema's order. Items of ``models`` and ``baselines`` have the keys
        name, engine, model, params and exogenous.

    Raises
    ------
    UserError
        One line for each problem: key, value and allowed values.
    """
    given = _coerced(asked, where)
    defaults = schema.defaults()
    settings = {**defaults, **given}
    settings |= presets.chosen(settings, defaults, timings, explicit)
    settings["metric_functions"], wrong = own_metrics.expanded(settings)
    _refuse(wrong, where)
    checked = own_metrics.without_own(settings)
    _refuse(schema.problems(checked, [key for key in settings if key not in _EXPANDED]), where)
    _refuse(_inconsistencies(settings), where)
    _expand_models(settings, given, where)
    return settings


def preset_choice(
    asked: Mapping[str, Any], timings: presets.Timings, explicit: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Return the keys that the preset of a configuration sets, and notes on the choice.

    Arguments are those of :func:`resolve`.
    """
    defaults = schema.defaults()
    settings = {**defaults, **_coerced(asked, "configuration")}
    found = presets.chosen(settings, defaults, timings, explicit)
    return found, presets.notes(settings, found, timings)


def _coerced(asked: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the given keys, coerced to the types of the schema; refuse unknown ones."""
    if not isinstance(asked, Mapping):
        raise UserError(f"{where}: is a {type(asked).__name__}, not a mapping of keys and values")
    given = plain({key: value for key, value in asked.items() if key not in _TOLERATED}, where)
    rules = schema.properties()
    _refuse(
        [f"unknown key {schema.show(k)}{suggest(k, rules)}" for k in given if k not in rules], where
    )
    return {key: coerce(value, rules[key]) for key, value in given.items()}


def _refuse(wrong: list[str], where: str) -> None:
    if wrong:
        raise UserError("\n".join(f"{where}: {sentence}" for sentence in wrong))


def _expand_models(settings: dict[str, Any], given: Mapping[str, Any], where: str) -> None:
    """Replace models, baselines and searches in `settings` by full mappings."""
    for key in _EXPANDED:
        if not isinstance(settings[key], list):
            kind = "searches" if key == "search" else "models"
            _refuse([f"{key} is {schema.show(settings[key])}; it must be a list of {kind}"], where)
    settings["search"], wrong = search_checks.expand(settings["search"], settings)
    settings["models"] = search.without_found(settings["models"], settings["search"])
    for key in _MODEL_KEYS:
        settings[key] = seeds.collapsed(settings[key])
    for key in _MODEL_KEYS:
        settings[key], more = models.expand(settings[key], key, settings)
        wrong += more
    _refuse(wrong, where)
    settings["models"] += [item for each in search.studies(settings) for item in each.items]
    if "baselines" not in given:  # a model of the user replaces a default baseline
        taken = {item["name"].lower() for item in settings["models"]}
        settings["baselines"] = [
            item for item in settings["baselines"] if item["name"].lower() not in taken
        ]
    together = [*settings["models"], *settings["baselines"]]
    if not together:
        _refuse(["models and baselines are both empty; name at least one model"], where)
    twice = models.duplicates(settings["search"], "searches") or models.duplicates(together)
    _refuse(twice or schema.problems(settings, _EXPANDED), where)


def _inconsistencies(settings: dict[str, Any]) -> list[str]:
    """Return one sentence for each pair of keys that contradict each other."""
    wrong = []
    reach, step = windows.reach(settings), windows.step_size(settings)
    held, kept = settings["test_size"], settings["val_size"]
    least = f"{reach} (horizon + gap)" if settings["gap"] else f"the horizon {reach}"
    if held is not None and (held < reach or (held - reach) % step):
        wrong.append(f"test_size is {held}; it must be {least} plus a multiple of {step}")
    if 0 < kept < reach:
        wrong.append(f"val_size is {kept}; it must be 0 or at least {least}")
    if settings["early_stop_patience_steps"] and not kept:
        wrong.append(
            f"early_stop_patience_steps needs validation data; set val_size to at least {least}"
        )
    if shares := [level for level in settings["levels"] if level < 1]:
        write = ", ".join(f"{100 * level:g}" for level in shares)
        wrong.append(f"levels has {shares[0]:g}, but levels are in percent: write {write}")
    if weights := settings["horizon_weight"]:
        wrong += _step_weights(weights, settings["horizon"])
    if settings["sort_metric"] not in settings["metrics"]:
        wrong.append(
            f"sort_metric is '{settings['sort_metric']}'; it must be one of metrics"
            f" ({', '.join(settings['metrics'])})"
        )
    wrong += categories.problems(settings)
    return wrong + (calendar.problems(settings["calendar"]) or _columns(settings))


def _step_weights(weights: list[float], horizon: int) -> list[str]:
    if len(weights) != horizon:
        return [f"horizon_weight has {len(weights)} values; it must have {horizon} (horizon)"]
    if extreme := [w for w in weights if w and not SMALLEST_WEIGHT <= w <= LARGEST_WEIGHT]:
        limits = f"{SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}"
        return [f"horizon_weight has {extreme[0]:g}; it must be 0 or in {limits}"]
    return [] if any(weights) else ["horizon_weight is 0 for all steps; one must be positive"]


def _columns(settings: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each column that has two roles."""
    roles: dict[str, str] = {}
    wrong = []
    for key in _ROLES:
        value = settings[key] or []
        for column in value if isinstance(value, list) else [value]:
            if isinstance(value, list) and column in _OWN_COLUMNS - set(roles):
                wrong.append(f"'{column}' in {key} is a reserved column name; rename the column")
            if column in roles:
                wrong.append(f"column '{column}' is in both {roles[column]} and {key}")
            roles.setdefault(column, key)
    for column in calendar.columns(settings):
        if column in roles:
            wrong.append(f"column '{column}' of {roles[column]} has a name of calendar, rename it")
    if settings["weights_file"] and SERIES_WEIGHT in roles:
        wrong.append(f"column '{SERIES_WEIGHT}' is a reserved name with weights_file; rename it")
    return wrong


def dump(settings: Mapping[str, Any]) -> str:
    """Return resolved settings as YAML, keys in the schema's order; loading gives them back."""
    return to_yaml({key: settings[key] for key in schema.properties() if key in settings})


def differences(
    frozen: Mapping[str, Any],
    asked: Mapping[str, Any],
    same_data: Callable[[Any, Any], bool] | None = None,
    where: str = "configuration",
    explicit: Collection[str] = (),
) -> list[tuple[str, Any, Any]]:
    """Compare requested settings with the frozen configuration of an existing run.

    Parameters
    ----------
    frozen
        The run's own resolved configuration.
    asked
        Settings given by the user; omitted keys do not contradict.
    same_data
        Compares two values of data_file, static_file, futr_file or weights_file; equality by
        default.
    where
        Origin of `asked`, for messages.
    explicit
        Keys that were requested even if they have their default.

    Returns
    -------
    list of tuple
        (key, frozen value, requested value) for each key that differs, in the schema's order;
        models and baselines in their shortest form.
    """
    asked = presets.unset(asked, frozen, explicit)
    named = [key for key in asked if key not in _TOLERATED]
    context = {key: value for key, value in frozen.items() if key not in _MODEL_KEYS}
    try:
        resolved = resolve({**context, **asked}, where, explicit=context.keys() | asked.keys())
    except UserError:  # both together are invalid: compare the requested settings alone
        resolved = resolve(asked, where)
    from_data, operational = schema.marked("x-from-data"), schema.marked("x-operational")
    frozen, resolved = (
        {**each, "models": search.without_found(each["models"], each.get("search") or [])}
        for each in ({"models": [], **frozen}, resolved)
    )
    found = []
    for key, rule in schema.properties().items():
        if key not in named or key in operational:
            continue
        old, new = frozen.get(key, rule.get("x-earlier", rule["default"])), resolved[key]
        if new is None and key in from_data:
            continue
        if same_data is not None and key in _TABLES:
            shipped = str(DATA) if key == "data_file" else None
            same = same_data(old or shipped, new or shipped)
        else:
            same = _same(key, old, new)
        if not same:
            found.append((key, _brief(key, old), _brief(key, new)))
    return found


def disagreements(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], keys: Iterable[str]
) -> list[tuple[str, Any, Any]]:
    """Compare two sets of settings, each merged with `base`.

    Returns
    -------
    list of tuple
        (key, value in `ours`, value in `theirs`) for each of `keys` that differs.
    """
    keys = list(keys)
    if not keys:
        return []
    first, second = resolve({**base, **theirs, **ours}), resolve({**base, **ours, **theirs})
    return [
        (key, _brief(key, first[key]), _brief(key, second[key]))
        for key in schema.properties()
        if key in keys and not _same(key, first[key], second[key])
    ]


def same_value(key: str, one: Any, other: Any) -> bool:
    """Return whether two values of a key are equal once coerced to the key's type."""
    rule = schema.properties().get(key)
    return one == other if rule is None else _same(key, coerce(one, rule), coerce(other, rule))


def _same(key: str, old: Any, new: Any) -> bool:
    if key == "metric_functions":  # the content of the files is compared elsewhere
        old, new = (own_metrics.functions_of(value) for value in (old, new))
    if key in (*_EXPANDED, "metrics"):  # order does not matter
        old, new = (sorted(value or [], key=str) for value in (old, new))
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _brief(key: str, value: Any) -> Any:
    if key == "search":
        return search.brief(value)
    return models.brief(value) if key in _MODEL_KEYS else value
