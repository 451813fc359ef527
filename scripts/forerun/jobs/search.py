"""Decisions of a search: the trials of each round, and the trials that become models.

optuna samples the trials of the first round with the run's seed. With halving, each later round
repeats the best trials of the previous round with more steps; otherwise optuna proposes new trials
from all results so far. Results are used in the order of the trials, not of their completion.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from forerun.base.bounded import Damaged
from forerun.base.files import write_csv, write_json
from forerun.config import search
from forerun.config.frozen import read_frozen
from forerun.config.search import Candidate, Study
from forerun.config.windows import held_out
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.measures import Measures
from forerun.evaluation.metrics import means, score
from forerun.jobs import search_time
from forerun.runs.outcome import Outcome
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_history
from forerun.runs.search import Trial, candidates, folder, round_path, trials

if TYPE_CHECKING:
    import optuna

#: Number of attempts to propose arguments that no other trial has.
ATTEMPTS = 50
#: Significant digits of proposed numbers.
DIGITS = 6


def ask(run: RunPaths, name: str, number: int) -> None:
    """Write the arguments of the trials of round `number` of a study."""
    settings = read_frozen(run.config)
    study = search.study(settings, name)
    judged = _judged(run, study, settings, before=number)
    if number and study.halving:
        last = [each for each in judged if each.round == number - 1]
        asked = _ranked(last)[: study.rounds[number]]
    else:
        asked = _proposed(study, judged, number, int(settings["seed"]))
    found = [{"trial": each.trial, "params": each.params} for each in asked]
    write_json(round_path(run, name, number), found)


def conclude(run: RunPaths, name: str) -> search.Chosen:
    """Write the table of all trials and the result of a study; return the result."""
    settings = read_frozen(run.config)
    study = search.study(settings, name)
    judged = _judged(run, study, settings)
    rows = [_row(run, study, settings, each) for each in judged]
    columns = ["round", "trial", "max_steps", "status", "error", "params", "reason"]
    write_csv(folder(run, name) / search.TABLE, pd.DataFrame(rows, columns=columns))
    outcomes = [_outcome(trial) for trial in trials(run, study)]
    found = _result(study, judged, rows, outcomes)
    if not _limited_by_run(outcomes):
        search_time.forget(run, name)
    record = {"status": found.status, "reason": found.reason}
    write_json(
        folder(run, name) / search.CHOSEN,
        record | {"trials": [asdict(candidate) for candidate in found.trials]},
    )
    return found


def _result(
    study: Study, judged: list[Candidate], rows: list[dict[str, Any]], outcomes: list[Outcome]
) -> search.Chosen:
    """Choose the best trials; none if the run's time limit stopped some."""
    if unfinished := _limited_by_run(outcomes):
        return search.Chosen([], "skipped", f"{study.name}: {unfinished.reason}", exists=True)
    best = _best(judged, study)
    if len(best) == study.keep:
        return search.Chosen(best, "ok", "", exists=True)
    reason = f"{study.name}: only {len(best)} of {len({row['trial'] for row in rows})} trials"
    reason += f" succeeded, keep is {study.keep}"
    if limit := _stopped(outcomes, search_time.KIND):
        return search.Chosen(best, "skipped", f"{reason}; {limit.reason}", exists=True)
    first = next((row["reason"] for row in rows if row["status"] == "failed"), "")
    return search.Chosen(best, "failed", f"{reason}; {first}".rstrip("; "), exists=True)


def _limited_by_run(outcomes: list[Outcome]) -> Outcome | None:
    """Return a trial that the time limit of the run stopped."""
    return _stopped(outcomes, "TimeLimit")


def _stopped(outcomes: list[Outcome], kind: str) -> Outcome | None:
    """Return the last trial that was skipped with an error of this kind."""
    stopped = [o for o in outcomes if o.status == "skipped" and o.error and o.error.kind == kind]
    return stopped[-1] if stopped else None


def _best(judged: list[Candidate], study: Study) -> list[Candidate]:
    """Return the best distinct trials; with halving, later rounds come first."""
    rounds = range(len(study.rounds) - 1, -1, -1) if study.halving else [None]
    ranked = [
        each
        for number in rounds
        for each in _ranked([c for c in judged if number in (None, c.round)])
    ]
    distinct = {each.trial: each for each in reversed(ranked)}  # the first one of each is kept
    return [each for each in ranked if distinct[each.trial] is each][: study.keep]


def _ranked(judged: list[Candidate]) -> list[Candidate]:
    """Return the successful trials, best first."""
    good = [(each.error, each.trial, each) for each in judged if each.error is not None]
    return [each for _, _, each in sorted(good, key=lambda item: item[:2])]


# -- Results --------------------------------------------------------------------------------------


def _judged(
    run: RunPaths, study: Study, settings: dict[str, Any], before: int | None = None
) -> list[Candidate]:
    """Return the trials of all rounds before `before` with their errors, in order."""
    sizes = study.rounds[:before]
    if not sizes:
        return []
    history = read_history(run.data)
    later = history.groupby("unique_id", observed=True).cumcount(ascending=False)
    history = history[later >= held_out(settings)]
    return [
        replace(each, round=number, error=_error(Trial(run, study.name, round=number, place=place),
                                                 history, settings))
        for number in range(len(sizes))
        for place, each in enumerate(candidates(run, study, number))
    ]  # fmt: skip


def _outcome(trial: Trial) -> Outcome:
    if outcome := trial.outcome():
        return outcome
    raise Damaged(f"{trial.outcome_path}: is damaged; remove it to run this trial again")


def _error(trial: Trial, history: pd.DataFrame, settings: dict[str, Any]) -> float | None:
    """Return the mean of `sort_metric` over the series; None if the trial failed or it is NaN."""
    if not _outcome(trial).is_ok:
        return None
    frame = sorted_results(pd.read_parquet(trial.product_path))
    metric, name = settings["sort_metric"], trial.model
    only = settings | {"metrics": [metric], "levels": []}
    seen = history[history["unique_id"].isin(frame["unique_id"])]
    measures = Measures.of(settings, trial.run.folder)
    return means(score(frame, name, seen, only, measures), name, measures).get(metric)


def _row(
    run: RunPaths, study: Study, settings: dict[str, Any], judged: Candidate
) -> dict[str, Any]:
    """Return a trial's row of the table."""
    places = [each.trial for each in candidates(run, study, judged.round)]
    trial = Trial(run, study.name, round=judged.round, place=places.index(judged.trial))
    outcome = _outcome(trial)
    undefined = outcome.is_ok and judged.error is None
    return {
        "round": judged.round,
        "trial": judged.trial,
        "max_steps": study.steps(settings, judged.round),
        "status": "failed" if undefined else outcome.status,
        "error": judged.error,
        "params": json.dumps(judged.params),
        "reason": f"{settings['sort_metric']} is undefined" if undefined
        else "" if outcome.is_ok else outcome.reason,
    }  # fmt: skip


# -- Proposals ------------------------------------------------------------------------------------


def _proposed(study: Study, judged: list[Candidate], number: int, seed: int) -> list[Candidate]:
    """Return new trials for a round; all combinations if there are few."""
    start, size = sum(study.rounds[:number]), study.rounds[number]
    if search.combinations(study.space) <= study.trials:
        return [Candidate(i, params) for i, params in enumerate(search.every(study.space))]
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: _distribution(values) for name, values in study.space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed + number)
    sampling = optuna.create_study(sampler=sampler, storage=optuna.storages.InMemoryStorage())
    for each in judged:
        sampling.add_trial(_as_trial(each, study, distributions))
    taken = [each.params for each in judged]
    for _ in range(size):
        for _ in range(ATTEMPTS):
            asked = sampling.ask(distributions)
            found = {name: _value(study.space[name], asked.params[name]) for name in study.space}
            if found not in taken:
                break
            sampling.tell(asked, state=optuna.trial.TrialState.FAIL)
        taken.append(found)
    return [Candidate(start + i, params) for i, params in enumerate(taken[len(judged) :])]


def _distribution(values: Any) -> optuna.distributions.BaseDistribution:
    """Return the distribution of an argument; the values of a list are numbered."""
    from optuna import distributions

    if isinstance(values, list):
        return distributions.CategoricalDistribution(tuple(range(len(values))))
    low, high, log = values["low"], values["high"], values.get("log", False)
    if search.is_whole(values):
        return distributions.IntDistribution(low, high, log, values.get("step", 1))
    return distributions.FloatDistribution(low, high, log, values.get("step"))


def _value(values: Any, proposed: Any) -> Any:
    """Return the argument for a value that optuna proposes."""
    if isinstance(values, list):
        return values[proposed]
    if isinstance(proposed, int):
        return proposed
    return min(max(float(f"{proposed:.{DIGITS}g}"), values["low"]), values["high"])


def _as_trial(
    judged: Candidate, study: Study, distributions: dict[str, Any]
) -> optuna.trial.FrozenTrial:
    """Return a completed or failed trial in optuna's form."""
    import optuna

    states = optuna.trial.TrialState
    proposed = {
        name: values.index(judged.params[name]) if isinstance(values, list) else judged.params[name]
        for name, values in study.space.items()
    }
    return optuna.trial.create_trial(
        state=states.FAIL if judged.error is None else states.COMPLETE,
        value=judged.error,
        params=proposed,
        distributions=distributions,
    )
