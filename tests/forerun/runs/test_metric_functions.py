"""Metrics of the user's own: checked, copied into the run, and executed only if trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.config.frozen import read_frozen
from forerun.config.own_metrics import Definition
from forerun.config.settings import differences, dump, resolve
from forerun.config.typed import read_settings
from forerun.evaluation import metrics
from forerun.evaluation.measures import Measures
from forerun.evaluation.scoring import score_all
from forerun.forecasting import reproduce
from forerun.runs import metric_functions, seal, trusted
from forerun.runs.outcome import ModelStatus
from forerun.runs.request import check_frozen_metrics

CODE = """
import numpy as np

def cost(actual, forecast):
    short = actual - forecast
    return np.nanmean(np.where(short > 0, 3 * short, -short), axis=-1)

def scaled(actual, forecast, scale):
    return np.nanmean(np.abs(actual - forecast), axis=-1) / scale

def inside(actual, forecast, quantiles):
    return np.nanmean((actual >= quantiles[0.1]) & (actual <= quantiles[0.9]), axis=-1)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(trusted.VARIABLE, str(tmp_path / "trusted"))
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path


def settings(functions: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    functions = {"cost": "mine.cost"} if functions is None else functions
    given = {"models": [], "horizon": 2, "n_windows": 2, "season_length": 1, "freq": 1}
    given |= {"metrics": ["mae", *functions], "metric_functions": functions}
    return resolve({**given, **asked})


def frozen(home: Path, name: str = "r", **asked: Any) -> tuple[Path, dict[str, Any]]:
    """Return a run's folder with its code, and its settings."""
    run = home / "runs" / name
    run.mkdir(parents=True)
    resolved = settings(**asked)
    resolved |= {"metric_functions": metric_functions.recorded(resolved)}
    metric_functions.freeze(run, resolved)
    (run / "config.yaml").write_text(dump(resolved))
    return run, read_frozen(run / "config.yaml")


def results(forecasts: dict[str, list[float]]) -> pd.DataFrame:
    """Two series of tens, two windows of two steps: what each model says."""
    keys = [(f"s{s}", 9 + 2 * w + i, 8 + 2 * w, 10.0) for s in "ab" for w in (0, 1) for i in (0, 1)]
    return pd.DataFrame(keys, columns=["unique_id", "ds", "cutoff", "y"]).assign(**forecasts)


HISTORY = pd.DataFrame(
    {"unique_id": np.repeat(["sa", "sb"], 13), "ds": [*range(13)] * 2, "y": [10.0, 14.0] * 13}
)


def test_own_metrics_are_scored_and_choose_the_best_model(home: Path) -> None:
    """A is too low by 1, B too high by 2: MAE prefers A, the cost (3 against 2) prefers B."""
    run, made = frozen(home, sort_metric="cost")
    paths = {}
    for name, value in (("A", 9.0), ("B", 12.0)):
        paths[name] = str(home / f"{name}.csv")
        results({name: [value] * 8}).to_csv(paths[name], index=False)
    measures = Measures.of(made, run)
    scored = score_all(paths, HISTORY, made, measures=measures)
    table = scored.metrics[scored.metrics["metric"] == "cost"]
    assert table["A"].tolist() == [3.0, 3.0]
    assert table["B"].tolist() == [2.0, 2.0]
    assert scored.record["per_series"]["overall"] == "B"
    assert (scored.record["metric"], scored.record["chosen_by"]) == ("mae", "cost")
    states = {name: ModelStatus(status="ok") for name in paths}
    board = metrics.leaderboard(scored.metrics, states, made, measures)
    assert board["model"].tolist() == ["B", "A"]


def test_arguments_are_given_by_name_and_greater_is_better_is_turned(home: Path) -> None:
    functions = {
        "scaled": "mine.scaled",
        "inside": {"function": "mine.inside", "greater_is_better": True},
    }
    run, made = frozen(home, functions=functions, levels=[80])
    frame = results({"m": [9.0] * 8})
    frame["m-lo-80"], frame["m-hi-80"] = 9.5, [20.0, 9.0] * 4
    found = metrics.score(frame, "m", HISTORY, made, Measures.of(made, run)).set_index("metric")[
        "m"
    ]
    assert found["scaled"].tolist() == [0.25, 0.25]  # differences of 4 in sample
    assert found["inside"].tolist() == [-0.5, -0.5]
    alone = metrics.score(frame[[*metrics.KEYS, "m"]], "m", HISTORY, made, Measures.of(made, run))
    assert alone[alone["metric"] == "inside"]["m"].isna().all()  # a model without intervals


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "'mine.py' does not exist"),
        ("def cost(:", "mine.py cannot be imported: SyntaxError"),
        ("import no_such_package", "cannot be imported: ModuleNotFoundError"),
        ("raise SystemExit", "cannot be imported: SystemExit"),
        ("raise KeyboardInterrupt", "cannot be imported: KeyboardInterrupt"),
        ("", "'cost' does not exist"),
        ("cost = 3", "'cost' is not a function"),
        ("def cost(actual): return 1", "'cost' must take actual and forecast"),
        ("def cost(actual, forecast, price): return 1", "not price"),
        ("def cost(actual, forecast): return 1", "returned an array of shape ()"),
        ("def cost(a, f): return a", "shape (2, 3, 2); it must return one error for each"),
        ("def cost(a, f): return a[..., 0] * float('nan')", "returned nan on a trial"),
        ("def cost(a, f): return 'high'", "not real numbers"),
        ("def cost(a, f): raise RuntimeError('no')", "mine.cost failed: RuntimeError: no"),
        ("def cost(a, f): raise KeyboardInterrupt", "mine.cost failed: KeyboardInterrupt"),
        ("def cost(a, f): raise GeneratorExit('x')", "mine.cost failed: GeneratorExit: x"),
        ("def cost(a, f): raise SystemExit(0)", "mine.cost failed: SystemExit: 0"),
        ("def cost(a, f, quantiles): return a[..., 0]", "takes quantiles; set levels"),
        ("\0", "is not a text file"),
    ],
)
def test_bad_functions_are_refused_before_anything_starts(
    home: Path, code: str | None, message: str
) -> None:
    (home / "mine.py").unlink() if code is None else (home / "mine.py").write_text(code)
    with pytest.raises(UserError) as error:
        metric_functions.check(settings())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"functions": {"cost": "mine"}}, "it must be FILE.FUNCTION"),
        ({"functions": {"cost": "../mine.cost"}}, "it must be FILE.FUNCTION"),
        ({"functions": {"cost": 3}}, "must be FILE.FUNCTION or a mapping"),
        ({"functions": {"cost": {"function": "a.b", "better": 1}}}, "or a mapping"),
        ({"functions": {"cost": {"function": "a.b", "greater_is_better": 1}}}, "true or false"),
        ({"functions": {"mae": "mine.cost"}, "metrics": ["mae"]}, "a metric of Forerun"),
        ({"functions": {"wql": "mine.cost"}}, "'wql' is not allowed"),
        ({"functions": {"a b": "mine.cost"}}, "'a b' is not allowed"),
        ({"metrics": ["mae"]}, "'cost', which is not one of metrics"),
        ({"metrics": ["cost", "mae", "cots"]}, "metrics[2] is 'cots'"),
        ({"metrics": ["cost"], "sort_metric": "cost"}, "add mae to metrics"),
        ({"metrics": ["mae", "cost", "cost"]}, "contains 'cost' more than once"),
        ({"metric_functions": ["cost"]}, "metric_functions is ['cost']"),
    ],
)
def test_bad_settings_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        settings(**asked)
    assert message in str(error.value)


def test_the_file_is_beside_the_configuration(home: Path) -> None:
    (home / "sub").mkdir()
    file = home / "sub" / "c.yaml"
    file.write_text("metrics: [mae, cost]\nmetric_functions: {cost: mine.cost}\n")
    found = resolve(read_settings(file))["metric_functions"]
    assert found["cost"]["file"] == str(home / "sub" / "mine.py")
    assert (
        resolve({"metrics": ["mae", "cost"], "metric_functions": found})["metric_functions"]
        == found
    )


def test_code_of_a_run_from_elsewhere_is_not_executed_without_trust(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mine.py").write_text(f"open({str(home / 'executed')!r}, 'w').close()\n{CODE}")
    run, made = frozen(home)
    (home / "executed").unlink()
    monkeypatch.setenv(trusted.VARIABLE, str(home / "other machine"))
    for refused in (
        lambda: Measures.of(made, run),
        lambda: check_frozen_metrics(run, made, {}),
        lambda: metric_functions.of_run(run, made),
        lambda: reproduce._check_code(run, trust=False),
    ):
        with pytest.raises(UserError, match="which is not executed; read it"):
            refused()
    assert Measures.of_weights(made, run) == Measures()  # enough to forecast and to compare
    assert not (home / "executed").exists()
    assert metric_functions.trust_run(run, made) == ["code/mine.py"]
    assert list(Measures.of(made, run).own) == ["cost"]
    assert (home / "executed").exists()


def test_a_file_in_a_run_is_that_of_its_configuration(home: Path) -> None:
    run, made = frozen(home)
    assert "code/mine.py" in list(seal.frozen_files(run))
    made["metric_functions"]["cost"]["file"] = "/elsewhere/evil.py"  # is not used
    assert list(Measures.of(made, run).own) == ["cost"]
    (run / "code" / "mine.py").write_text(CODE + "\n")
    with pytest.raises(UserError, match="was changed; its sha256 differs"):
        Measures.of(made, run)
    (run / "code" / "mine.py").unlink()
    (run / "code" / "mine.py").symlink_to(home / "mine.py")
    with pytest.raises(UserError, match="outside its folder"):
        Measures.of(made, run)


def test_an_existing_run_refuses_other_functions_and_files(home: Path) -> None:
    run, made = frozen(home)
    same = {"metrics": ["mae", "cost"], "metric_functions": {"cost": "mine.cost"}}
    assert differences(made, same) == []
    check_frozen_metrics(run, made, same)
    other = same | {"metric_functions": {"cost": "mine.scaled"}}
    assert [key for key, _, _ in differences(made, other)] == ["metric_functions"]
    (home / "mine.py").write_text(CODE + "\n")
    with pytest.raises(UserError, match=r"exists with another 'mine.py' .metric 'cost'.; choose"):
        check_frozen_metrics(run, made, same)


@pytest.mark.parametrize(
    "damage", ["3", "{cost: 3}", "{'../x': {function: a.b}}", "{c: {function: ..}}"]
)
def test_damaged_definitions_are_refused(home: Path, damage: str) -> None:
    run, _ = frozen(home)
    text = (run / "config.yaml").read_text()
    start = text.index("metric_functions:")
    rest = text.index("\nhorizon_weight", start)
    (run / "config.yaml").write_text(f"{text[:start]}metric_functions: {damage}{text[rest:]}")
    with pytest.raises(Damaged, match="metric_functions"):
        read_frozen(run / "config.yaml")


def loaded(body: str) -> metric_functions.OwnMetric:
    source = f"import numpy as np\ndef f(actual, forecast, scale, quantiles):\n    {body}\n"
    return metric_functions.load(Definition("x", "mine.f"), source)


def test_function_cannot_change_what_others_get() -> None:
    actual, scale, low = np.ones((2, 1, 3)), np.ones((2, 1)), np.ones((2, 1, 3))
    metric = loaded("actual *= 0; scale *= 0; quantiles[0.1] *= 0; return scale")
    assert not metric.errors(actual, actual, scale, {0.1: low}).any()
    assert all(array.all() for array in (actual, scale, low))


def test_masked_values_are_missing() -> None:
    ones = np.ones((2, 1, 3))
    found = loaded("return np.ma.masked_array([[1], [2]], [[True], [False]])").errors(
        ones, ones, None, {}
    )
    np.testing.assert_array_equal(found, [[np.nan], [2]])


@pytest.mark.parametrize("value", ["[[1j], [1]]", "[['1'], ['2']]"])
def test_other_values_than_real_numbers_are_refused(value: str) -> None:
    ones = np.ones((2, 1, 3))
    with pytest.raises(UserError, match="not real numbers"):
        loaded(f"return {value}").errors(ones, ones, None, {})


def test_key_and_metrics_are_refused_in_one_line(home: Path) -> None:
    with pytest.raises(UserError, match="it must be FILE"):
        settings({"x": {"function": "mine.cost", "name": "y"}})
    with pytest.raises(UserError, match="metrics contains 'x' more than once") as error:
        settings({"x": "mine.cost"}, metrics=["mae", "x", "x"])
    assert "rmsle" not in str(error.value)
    with pytest.raises(UserError, match="metrics"):
        settings({"x": "mine.cost"}, metrics=["mae", "x", ["mae"]])
