"""Settings: defaults, refusals, comparison with a frozen configuration, files."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from forerun.base.errors import UserError
from forerun.config import schema
from forerun.config.settings import differences, dump, load_yaml, resolve

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def defaults():
    return resolve({})


# -- Defaults and the shipped files -----------------------------------------------------------


def test_documented_defaults(defaults):
    promised = {
        "run_id": None,
        "data_file": None,
        "output_dir": None,
        "horizon": 12,
        "input_size": None,
        "max_steps": None,
        "on_short": None,
        "n_windows": 3,
        "test_size": None,
        "log_file": None,
    }
    assert {key: defaults[key] for key in promised} == promised
    assert [item["name"] for item in defaults["models"]] == ["NBEATS", "NHITS", "LSTM"]
    assert [item["name"] for item in defaults["baselines"]] == [
        *("SeasonalNaive", "DynamicOptimizedTheta", "DirectRidge")
    ]


def test_schema_is_valid_and_complete():
    document = yaml.safe_load(schema.SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["additionalProperties"] is False
    for key, rule in document["properties"].items():
        assert rule["description"].endswith("."), key
        assert "default" in rule, key
        assert "type" in rule or "enum" in rule, key
        kinds = schema.types(rule)
        if "integer" in kinds or "number" in kinds:
            assert {"minimum", "exclusiveMinimum"} & set(rule), f"{key} has no lower bound"
    jsonschema.validate(schema.defaults(), document)


def test_operational_keys():
    assert schema.marked("x-operational") == {
        *("run_id", "output_dir", "log_file", "max_time", "time_limit"),
        *("accept_failures", "plot_series", "reuse", "shard_size", "gpu_jobs"),
        *("checkpoint_minutes", "plot_formats"),
    }


def test_shipped_configuration_equals_the_defaults():
    text = (ROOT / "config/config.yaml").read_text()
    assert load_yaml(ROOT / "config/config.yaml") == schema.defaults()
    lines = text.splitlines()
    for key in schema.properties():
        (position,) = [i for i, line in enumerate(lines) if line.startswith(f"{key}:")]
        assert lines[position - 1].startswith("# "), f"no comment above {key}"


def test_the_template_holds_every_key_with_its_meaning_and_default(tmp_path):
    """It is generated from the schema; an edited config/config.yaml does not matter."""
    file = tmp_path / "new.yaml"
    file.write_text(schema.template("config.schema.yaml"))
    assert load_yaml(file) == schema.defaults()
    shipped = (ROOT / "config/config.yaml").read_text()
    lines = file.read_text().splitlines()
    assert max(map(len, lines[1:])) <= 100
    for key, rule in schema.properties().items():
        (position,) = [i for i, line in enumerate(lines) if line.startswith(f"{key}:")]
        start = max(i for i, line in enumerate(lines[:position]) if not line) + 1
        meaning = " ".join(line.removeprefix("# ") for line in lines[start:position])
        assert meaning == rule["description"]
    sections = [line.strip("# -") for line in lines if line.startswith("# --- ")]
    assert sections == [s.strip("# -") for s in shipped.splitlines() if s.startswith("# --- ")]


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml", "test.yaml"])
def test_shipped_files_resolve(name):
    resolved = resolve(load_yaml(ROOT / "config" / name), name)
    assert resolved["models"]


def reference() -> str:
    """Return a Markdown table of all keys: key, default, allowed values, meaning."""
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key, rule in schema.properties().items():
        default = rule["default"]
        written = f"[{', '.join(default)}]" if isinstance(default, list) else schema.show(default)
        written = default if isinstance(default, str) and not default.isdigit() else written
        mark = "\\*" if rule.get("x-operational") else ""
        rows.append(
            f"| `{key}`{mark} | `{written}` | {schema.allowed(rule)} | {rule['description']} |"
        )
    return "\n".join(rows) + "\n"


def test_documentation_holds_every_key():
    assert reference() in (ROOT / "config/README.md").read_text()


def test_reading_and_resolving_imports_nothing_heavy():
    heavy = {"numpy", "pandas", "torch", "neuralforecast", "statsforecast", "snakemake"}
    code = (
        "import sys; from forerun.config import catalog, models, settings;"
        "from forerun.runs import state;"
        "models.specs(settings.resolve({}));"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


# -- What is accepted in another form ---------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "key", "value"),
    [
        ({"metrics": "mae, rmse"}, "metrics", ["mae", "rmse"]),
        ({"levels": "95,80"}, "levels", [80, 95]),
        ({"levels": 90}, "levels", [90]),
        ({"levels": [99.5, 80.0]}, "levels", [80, 99.5]),
        ({"hist_exog": "dewp"}, "hist_exog", ["dewp"]),
        ({"futr_exog": None}, "futr_exog", []),
        ({"horizon": 24.0}, "horizon", 24),
        ({"learning_rate": "1e-3"}, "learning_rate", 0.001),
        ({"learning_rate": 1}, "learning_rate", 1),
        ({"precision": 32}, "precision", "32"),
        ({"run_id": 7}, "run_id", "7"),
        ({"freq": 1}, "freq", 1),
        ({"freq": "MS"}, "freq", "MS"),
        ({"refit": True}, "refit", True),
        ({"refit": 2}, "refit", 2),
        ({"input_size": None}, "input_size", None),
        ({"exogenous": "both"}, "exogenous", "both"),
        ({"pathvars": {"runs": "runs"}}, "horizon", 12),
        (OrderedDict(horizon=6), "horizon", 6),
        ({"horizon": 12, "step_size": 1, "test_size": 20}, "test_size", 20),
        ({"horizon": 12, "gap": 2, "test_size": 26}, "test_size", 26),
        ({"val_size": 12, "early_stop_patience_steps": 3}, "val_size", 12),
    ],
)
def test_accepted(asked, key, value):
    resolved = resolve(asked)[key]
    assert resolved == value
    assert type(resolved) is type(value)


# -- What is refused, and how -----------------------------------------------------------------

#: (configuration, expected part of the message)
BAD = [
    ({"horizn": 12}, ["unknown key 'horizn'", "did you mean 'horizon'"]),
    ({"Horizon": 12}, ["did you mean 'horizon'"]),
    ({"foo": 1, "inputsize": 2}, ["unknown key 'foo'", "did you mean 'input_size'"]),
    ({1: 2}, ["key 1", "not a string"]),
    ({True: 2}, ["key true", "not a string"]),
    ({"horizon": "twelve"}, ["horizon is 'twelve'", "an integer from 1 to 10000"]),
    ({"horizon": "12"}, ["horizon is '12'", "an integer"]),
    ({"horizon": True}, ["horizon is true", "an integer"]),
    ({"horizon": None}, ["horizon is null", "an integer"]),
    ({"horizon": 0}, ["horizon is 0", "from 1"]),
    ({"horizon": -3}, ["horizon is -3"]),
    ({"horizon": 10**30}, ["horizon is", "to 10000"]),
    ({"horizon": 1.5}, ["horizon is 1.5", "an integer"]),
    ({"horizon": float("nan")}, ["horizon is nan", "finite"]),
    ({"learning_rate": float("inf")}, ["learning_rate is inf", "finite"]),
    ({"learning_rate": 0}, ["learning_rate is 0", "above 0"]),
    ({"learning_rate": 2}, ["learning_rate is 2", "at most 1"]),
    ({"horizon": [12]}, ["horizon is [12]"]),
    ({"horizon": {"a": 1}}, ["horizon is"]),
    ({"max_steps": 0}, ["max_steps is 0"]),
    ({"n_windows": 0}, ["n_windows is 0"]),
    ({"gap": -1}, ["gap is -1", "from 0"]),
    ({"seed": -1}, ["seed is -1"]),
    ({"refit": 0}, ["refit is 0", "true or false"]),
    ({"refit": "always"}, ["refit is 'always'"]),
    ({"run_id": "../../etc"}, ["run_id is '../../etc'", "letters"]),
    ({"run_id": "/abs"}, ["run_id is '/abs'"]),
    ({"run_id": ""}, ["run_id is ''"]),
    ({"run_id": "a" * 101}, ["run_id is"]),
    ({"run_id": "a\n"}, ["run_id is", "control character"]),
    ({"data_file": "a\x00b"}, ["data_file is", "control character"]),
    ({"data_file": ""}, ["data_file is ''"]),
    ({"data_file": 3.5}, ["data_file is 3.5"]),
    ({"id_col": ""}, ["id_col is ''"]),
    ({"time_col": None}, ["time_col is null"]),
    ({"levels": [None, []]}, ["levels[0] is null"]),
    ({"id_col": "ds"}, ["column 'ds'", "id_col", "time_col"]),
    ({"hist_exog": ["a"], "futr_exog": ["a"]}, ["column 'a'", "hist_exog", "futr_exog"]),
    ({"hist_exog": ["y"]}, ["column 'y'", "target_col", "hist_exog"]),
    ({"target_col": "price", "hist_exog": ["y"]}, ["'y' in hist_exog is a reserved column name"]),
    ({"hist_exog": ["a", "a"]}, ["hist_exog contains duplicates"]),
    ({"hist_exog": [1]}, ["hist_exog[0] is 1"]),
    ({"scaler_type": "robst"}, ["scaler_type is 'robst'", "did you mean 'robust'"]),
    ({"accelerator": "cuda"}, ["accelerator is 'cuda'", "cpu, gpu, auto"]),
    ({"precision": 8}, ["precision is '8'"]),
    ({"metrics": []}, ["metrics is empty", "mae"]),
    ({"metrics": ["mae", "mea"]}, ["metrics[1] is 'mea'", "did you mean"]),
    ({"metrics": ["mae", "mae"]}, ["metrics contains duplicates"]),
    ({"metrics": ["mae"], "sort_metric": "mse"}, ["sort_metric is 'mse'", "metrics (mae)"]),
    ({"levels": [0]}, ["levels[0] is 0", "between 0 and 100"]),
    ({"levels": [100]}, ["levels[0] is 100"]),
    ({"levels": "0.8,0.95"}, ["levels has 0.8, but levels are in percent: write 80, 95"]),
    ({"levels": [80, 80.0]}, ["levels contains duplicates"]),
    ({"levels": "a,80"}, ["levels[1] is 'a'"]),
    ({"on_gaps": "ignore"}, ["on_gaps is 'ignore'", "error, fill"]),
    ({"exogenous": "no way"}, ["exogenous is 'no way'", "true, false, both"]),
    ({"exogenous": 1}, ["exogenous is 1"]),
    ({"gpu_jobs": 0}, ["gpu_jobs is 0", "from 1"]),
    ({"plot_formats": ["pdf"]}, ["plot_formats[0] is 'pdf'", "one of png, svg"]),
    ({"plot_formats": []}, ["plot_formats is empty", "png, svg"]),
    ({"checkpoint_minutes": 0}, ["checkpoint_minutes is 0", "above 0"]),
    ({"matmul_precision": "tf32"}, ["matmul_precision is 'tf32'", "highest, high, medium"]),
    ({"accept_failures": 1}, ["accept_failures is 1", "true or false"]),
    ({"test_size": 5}, ["test_size is 5", "the horizon 12 plus a multiple of 12"]),
    ({"test_size": 20}, ["test_size is 20", "multiple of 12"]),
    ({"gap": 2, "test_size": 12}, ["test_size is 12", "14 (horizon + gap)"]),
    ({"val_size": 3}, ["val_size is 3", "at least"]),
    ({"early_stop_patience_steps": 3}, ["early_stop_patience_steps", "val_size"]),
    ({"max_time": 0}, ["max_time is 0"]),
    ({"models": [], "baselines": []}, ["both empty"]),
    ({"models": {"NHITS": {}}}, ["models[0]", "unknown key 'NHITS'"]),
    ({"models": True}, ["models is true", "a list of models"]),
    ({"seed": yaml.safe_load("2024-01-01")}, ["seed is 2024-01-01", "date"]),
    ({"data_file": {"a": object()}}, ["data_file.a is"]),
]


@pytest.mark.parametrize(
    ("asked", "words"), BAD, ids=[str(asked).split(" at 0x")[0][:50] for asked, _ in BAD]
)
def test_refused(asked, words):
    with pytest.raises(UserError) as caught:
        resolve(asked, "my.yaml")
    message = str(caught.value)
    assert all(line.startswith("my.yaml: ") for line in message.splitlines()), message
    for word in words:
        assert word in message, message


def test_all_problems_are_reported_together():
    with pytest.raises(UserError) as caught:
        resolve({"horizon": 0, "seed": "x", "metrics": ["mea"]})
    assert len(str(caught.value).splitlines()) == 3


def test_a_long_value_is_shortened():
    with pytest.raises(UserError) as caught:
        resolve({"horizon": "x" * 10_000})
    assert len(str(caught.value)) < 300


def test_infinite_values_are_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(UserError, match="nested too deeply"):
        resolve({"models": endless})
    many: list = ["a"] * 10
    for _ in range(9):
        many = [many] * 10
    with pytest.raises(UserError, match="too large"):
        resolve({"hist_exog": many})


@pytest.mark.parametrize("asked", [None, [], "horizon: 3", 3])
def test_no_mapping(asked):
    with pytest.raises(UserError, match="not a mapping"):
        resolve(asked)


# -- Properties -------------------------------------------------------------------------------

_NAMES = st.sampled_from(["NHITS", "MLP", "DLinear", "TFT", "AutoARIMA", "Naive"])
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "horizon": st.integers(1, 48),
        "input_size": st.none() | st.integers(1, 500),
        "models": st.lists(_NAMES, min_size=1, unique=True),
        "refit": st.booleans() | st.integers(1, 9),
        "levels": st.lists(st.integers(1, 99) | st.floats(1, 99), max_size=3, unique=True),
        "metrics": st.permutations(["mae", "mse", "mase"]),
        "futr_exog": st.lists(st.sampled_from(["a", "b b", "ö"]), unique=True),
        "exogenous": st.sampled_from([True, False, "both"]),
        "learning_rate": st.none() | st.floats(1e-9, 1),
        "log_file": st.none()
        | st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1),
        "max_time": st.none() | st.floats(0.001, 1e6),
    },
)


@settings(deadline=None)
@given(ASKED)
def test_resolving_twice_changes_nothing(asked):
    before = copy.deepcopy(asked)
    resolved = resolve(asked)
    assert asked == before
    assert list(resolved) == list(schema.properties())
    assert resolve(resolved) == resolved
    assert differences(resolved, asked) == []
    assert differences(resolved, resolved) == []


@settings(deadline=None)
@given(ASKED)
def test_dump_loads_back_equal(tmp_path_factory, asked):
    resolved = resolve(asked)
    file = tmp_path_factory.getbasetemp() / "dumped.yaml"
    file.write_text(dump(resolved), encoding="utf-8")
    assert load_yaml(file) == resolved
    assert yaml.safe_load(dump(resolved)) == resolved
    assert dump(load_yaml(file)) == dump(resolved)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(schema.properties())), _VALUES, max_size=3))
def test_any_value_is_accepted_or_refused_with_a_message(asked):
    try:
        resolved = resolve(asked)
    except UserError:
        return
    assert resolve(resolved) == resolved


def test_dump_writes_no_references(defaults):
    shared = ["mae"]
    text = dump({**defaults, "metrics": shared, "levels": shared})
    assert "&" not in text
    assert "*" not in text


# -- Comparing with a frozen run --------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"horizon": 12},
        {"horizon": 12.0},
        {"models": "NHITS,NBEATS,LSTM"},
        {"models": ["NBEATS", {"name": "NHITS"}, {"model": "LSTM", "params": None}]},
        {"metrics": "rmsse,mase,smape,mape,rmse,mse,mae"},
        {"freq": None, "season_length": None, "input_size": None},
        {"run_id": "other", "output_dir": "x", "log_file": "l", "max_time": 3, "reuse": False},
        {"time_limit": 9, "accept_failures": True, "plot_series": 1},
        {"pathvars": {}},
    ],
)
def test_no_contradiction(defaults, asked):
    frozen = {**defaults, "freq": "MS", "season_length": 12, "run_id": "exp1"}
    assert differences(frozen, asked) == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"max_steps": 5000}, [("max_steps", 500, 5000)]),
        ({"freq": "D"}, [("freq", "MS", "D")]),
        ({"seed": 2, "horizon": 6}, [("horizon", 12, 6), ("seed", 1, 2)]),
        ({"models": "NHITS"}, [("models", ["NBEATS", "NHITS", "LSTM"], ["NHITS"])]),
        ({"refit": 1}, [("refit", False, 1)]),
        ({"data_file": "other.csv"}, [("data_file", None, "other.csv")]),
        ({"metrics": ["mse"]}, [("metrics", schema.defaults()["metrics"], ["mse"])]),
    ],
)
def test_contradiction(defaults, asked, expected):
    frozen = {**defaults, "freq": "MS", "season_length": 12, "max_steps": 500}
    if "metrics" in asked:  # contradicts the frozen sort_metric: compared unchanged
        asked["sort_metric"] = "mse"
        expected = [*expected, ("sort_metric", "mae", "mse")]
    assert differences(frozen, asked) == expected


def test_contradicting_model_names_its_parameters(defaults):
    asked = {"models": [{"name": "A", "model": "NHITS", "params": {"max_steps": 3}}]}
    ((key, _, new),) = differences(defaults, asked)
    assert (key, new) == ("models", asked["models"])


def test_models_are_compared_with_the_columns_of_the_run():
    frozen = resolve({"models": "TFT", "hist_exog": ["a"], "exogenous": "both"})
    assert [item["name"] for item in frozen["models"]] == ["TFT", "TFT_exog"]
    assert differences(frozen, {"models": "TFT"}) == []
    assert differences(frozen, {"exogenous": True})[0][0] == "exogenous"


def test_the_data_file_is_compared_on_request(defaults):
    frozen = {**defaults, "data_file": "/a/b.csv"}
    calls = []

    def same(old, new):
        calls.append((old, new))
        return True

    assert differences(frozen, {"data_file": "b.csv"}, same) == []
    assert calls == [("/a/b.csv", "b.csv")]


def test_requests_for_unknown_keys_are_refused(defaults):
    with pytest.raises(UserError, match="horizon is 'x'"):
        differences(defaults, {"horizon": "x"})


# -- Files ------------------------------------------------------------------------------------

#: (content, expected part of the message)
BAD_FILES = [
    (b"- a\n- b\n", "contains a list, not a mapping"),
    (b"just text", "contains a str, not a mapping"),
    (b"42", "contains a int, not a mapping"),
    (b"a: 1\na: 2\n", "the key 'a' is duplicated (line 2, column 1)"),
    (b"a: {b: 1, b: 2}\n", "the key 'b' is duplicated"),
    (b"a: !!python/object/apply:os.system ['true']\n", "python/object/apply:os.system is not"),
    (b"a: !!python/name:os.system\n", "is not allowed"),
    (b"a: !secret x\n", "the tag !secret is not allowed"),
    (b"a: [1, 2\n", "not valid YAML"),
    (b"a: 'x\n", "not valid YAML"),
    (b"\ta: 1\n", "not valid YAML"),
    (b"a: *b\n", "undefined alias"),
    (b"a: 1\n---\nb: 2\n", "not valid YAML"),
    (b"a: \xff\xfe\n", "not valid YAML"),
    (b"a: \x00\n", "not valid YAML"),
    (b"? [1, 2]\n: 3\n", "unhashable key"),
    (b"[" * 4_000, "YAML"),
    (b"[" * 400_000, "nested too deeply"),
    (b"- " * 400_000, "nested too deeply"),
    (b"".join(b" " * depth + b"a:\n" for depth in range(1_200)), "nested too deeply"),
    (b"a: 1\n" + b"#" * 1_000_001, "too large"),
]


@pytest.mark.parametrize(("content", "words"), BAD_FILES, ids=[str(c[:30]) for c, _ in BAD_FILES])
def test_bad_file(tmp_path, content, words):
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_yaml(file)
    message = str(caught.value)
    assert words in message
    assert message.startswith(f"{file}: ")
    assert len(message.splitlines()) == 1


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        load_yaml(tmp_path)
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(UserError, match="cannot be read"):
        load_yaml(loop)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"", {}),
        (b"# nothing\n", {}),
        (b"\xef\xbb\xbfhorizon: 3\n", {"horizon": 3}),
        ("ö: ü\n".encode(), {"ö": "ü"}),
        (b"a: 010\nb: 1_000\nc: -0x1F\nd: 1.5\n", {"a": 10, "b": 1000, "c": -31, "d": 1.5}),
        (b"a: 1:30\nb: 2024-99-99\nc: 1:30.5\n", {"a": "1:30", "b": "2024-99-99", "c": "1:30.5"}),
        (b"a: yes\nb: .inf\nc: ~\n", {"a": True, "b": float("inf"), "c": None}),
        (b"a: &x {b: 1}\nc: {<<: *x, d: 2}\n", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        (b"a: &x {b: 1}\nc: {<<: *x, b: 2}\n", {"a": {"b": 1}, "c": {"b": 2}}),
    ],
)
def test_good_file(tmp_path, content, value):
    file = tmp_path / "good.yaml"
    file.write_bytes(content)
    assert load_yaml(file) == value
    file.write_bytes(content + b"#" * 10_000)  # the other parser
    assert load_yaml(file) == value
