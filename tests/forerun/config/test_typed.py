"""Values of string keys stay as typed: in files, with --set and with Snakemake's --config."""

from __future__ import annotations

from pathlib import Path

import pytest
from lazily import lazily

from forerun.base.errors import UserError
from forerun.base.yaml_files import load_yaml
from forerun.cli.call import gather
from forerun.config import schema, typed
from forerun.config.settings import dump
from forerun.config.typed import assignment, read_settings

snakemake = lazily("snakemake.cli")
TEXT_KEYS = [key for key in schema.properties() if typed.is_text(key)]
LISTS = [key for key in schema.properties() if typed.is_list_of_text(key)]

#: Plain scalars that YAML 1.1 reads as a number, date or truth value.
PLAIN = [
    *("2024_11", "007", "08", "0x1F", "0b1", "1:30", "1:30.5", "2024-11-01", "1.50", "1e5", "+7"),
    *(".5", "1_000.5", ".inf", "NaN", ".nan", "no", "on", "Yes", "TRUE", "="),
]
#: Strings with YAML syntax.
SPECIAL = ["#Passengers", "x #y", "&a", "*a", "[kW]", "{a}", "!x", "%", "@a", "a: b", "- x", "`x`"]


def test_the_keys_are_those() -> None:
    assert set(TEXT_KEYS) >= {
        *("run_id", "data_file", "output_dir", "log_file", "static_file", "futr_file"),
        *("id_col", "time_col", "target_col", "freq"),
    }
    assert set(LISTS) == {
        *("models", "baselines", "hist_exog", "futr_exog", "stat_exog", "calendar"),
        "categorical",
    }


def texts(key: str, every: list[str]) -> list[str]:
    """Return the strings that stay strings for a key; whole numbers are a valid frequency."""
    return [text for text in every if not (key == "freq" and text in ("007", "08"))]


@pytest.mark.parametrize("key", TEXT_KEYS)
def test_strings_in_a_file(tmp_path: Path, key: str) -> None:
    for text in texts(key, PLAIN):
        file = tmp_path / "my.yaml"
        file.write_text(f"{key}: {text}\nmax_steps: 7\n")
        assert read_settings(file) == {key: text, "max_steps": 7}
        frozen = tmp_path / "frozen.yaml"
        frozen.write_text(dump(read_settings(file)))
        assert load_yaml(frozen) == {key: text, "max_steps": 7}


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("form", ["{key}: {text}", "{key}: [{text}, b]", "{key}:\n- {text}\n- b"])
def test_lists_of_strings_in_a_file(tmp_path: Path, key: str, form: str) -> None:
    for text in PLAIN:
        file = tmp_path / "my.yaml"
        file.write_text(form.format(key=key, text=text))
        read = read_settings(file)[key]
        assert read == (text if "b" not in form.partition("text}")[2] else [text, "b"])


def test_names_of_models_are_strings(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("models: [{name: 1_0, model: NHITS, params: {max_steps: 1_0}}]")
    (item,) = read_settings(file)["models"]
    assert item == {"name": "1_0", "model": "NHITS", "params": {"max_steps": 10}}


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("run_id: null", {"run_id": None}),
        ("run_id: ~", {"run_id": None}),
        ("run_id:", {"run_id": None}),
        ("run_id: 'null'", {"run_id": "null"}),
        ("freq: 7", {"freq": 7}),
        ("freq: '7'", {"freq": "7"}),
        ("horizon: 010", {"horizon": 10}),
        ("refit: yes", {"refit": True}),
        ("futr_exog: null", {"futr_exog": None}),
    ],
)
def test_null_and_numbers_are_kept(tmp_path: Path, content: str, value: dict[str, object]) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(content)
    assert read_settings(file) == value


def test_a_tag_is_still_refused(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("run_id: !!python/name:os.system x")
    with pytest.raises(UserError, match="is not allowed"):
        read_settings(file)


@pytest.mark.parametrize("key", TEXT_KEYS)
def test_strings_with_set(key: str) -> None:
    for text in texts(key, [*PLAIN, *SPECIAL, "a, b", "it's", "'q'", " x "]):
        assert assignment(f"{key}={text}") == (key, text)
        asked = gather([], {}, assignments=[f"{key}={text}"])
        assert asked.options == {key: text}
        # Snakemake gets the same value although it parses values itself.
        _, *pairs = asked.arguments()
        assert typed.options(snakemake.parse_config(pairs), pairs) == {key: text}


@pytest.mark.parametrize("key", LISTS)
def test_lists_of_strings_with_set(key: str) -> None:
    for text in [*PLAIN, "#Passengers", "x #y", "&a", "{a}"]:
        assert assignment(f"{key}={text}") == (key, text)
        assert assignment(f"{key}=[{text!r}, b]")[1] == [text, "b"]
        _, *pairs = gather([], {}, assignments=[f"{key}={text}"]).arguments()
        assert typed.options(snakemake.parse_config(pairs), pairs) == {key: text}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("run_id=", None),
        ("run_id=null", None),
        ("static_file=none", None),
        ("target_col=null", "null"),
        ("freq=7", 7),
        ("horizon=010", 10),
        ("levels=80,95", "80,95"),
        ("levels=[80, 95]", ["80", "95"]),
        ("refit=true", True),
        ("futr_exog=", None),
    ],
)
def test_other_values(pair: str, value: object) -> None:
    assert assignment(pair) == (pair.partition("=")[0], value)


def test_snakemakes_quotes_are_removed() -> None:
    pairs = ["run_id='2024_11'", "target_col=no", "horizon=3", "id_col=x"]
    read = typed.options(snakemake.parse_config(pairs), pairs)
    assert read == {"run_id": "2024_11", "target_col": "no", "horizon": 3, "id_col": "x"}


def test_models_with_arguments_are_kept_as_parsed_by_snakemake() -> None:
    pairs = ["models=[{name: a, model: NHITS}]"]
    assert typed.options(snakemake.parse_config(pairs), pairs)["models"] == [
        {"name": "a", "model": "NHITS"}
    ]
