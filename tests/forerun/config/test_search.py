"""Searches in a configuration: rounds, models, refusals, frozen form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.config import search, threads
from forerun.config.frozen import read_frozen
from forerun.config.settings import differences, dump, resolve

RATES = {"low": "1e-4", "high": "1e-2", "log": True}
ITEM = {"model": "NHITS", "space": {"input_size": [24, 48], "learning_rate": RATES}}
SMALL = {"model": "AutoETS", "space": {"model": ["ANN", "AAN"], "season_length": [1, 7]}}


def settings(**changes: Any) -> dict[str, Any]:
    return resolve({"models": [], "search": [{**ITEM, **changes}]})


def only(**changes: Any) -> search.Study:
    return search.studies(settings(**changes))[0]


class TestRounds:
    @pytest.mark.parametrize(
        ("changes", "rounds"),
        [
            ({}, [20, 6, 2]),
            ({"keep": 2}, [20, 6]),  # 6 // 3 trials would leave no choice
            ({"trials": 4}, [4]),
            ({"halving": False}, [10, 5, 5]),
            ({"halving": False, "trials": 100}, [10, 23, 23, 23, 21]),
            ({"halving": False, "trials": 30, "keep": 12}, [12, 5, 5, 5, 3]),
        ],
    )
    def test_numbers(self, changes: dict[str, Any], rounds: list[int]) -> None:
        assert only(**changes).rounds == rounds

    def test_a_small_space_is_tried_as_a_whole(self) -> None:
        study = search.studies(resolve({"search": [SMALL]}))[0]
        assert (study.halving, study.rounds) == (False, [4])

    def test_steps_grow_by_three_up_to_max_steps(self) -> None:
        study = only()
        assert [study.steps({"max_steps": 100}, number) for number in range(3)] == [12, 34, 100]
        assert only(params={"max_steps": 9}).steps({"max_steps": 100}, 2) == 9
        assert study.trial({"input_size": 24}, 12).params == {"input_size": 24, "max_steps": 12}


class TestModels:
    def test_the_best_trials_are_models_of_the_run(self) -> None:
        found = settings(keep=2)
        assert [item["name"] for item in found["models"]] == ["NHITS_search1", "NHITS_search2"]
        assert resolve(found) == found
        assert differences(found, {"models": [], "search": [{**ITEM, "keep": 2}]}) == []
        assert [key for key, _, _ in differences(found, {"search": []})] == ["search"]

    def test_fits_share_the_cores(self) -> None:
        assert threads.share(64, resolve({"models": ["NHITS"], "baselines": []})) == 32
        assert threads.share(64, settings()) == 2  # 20 trials, two fits of the model, two baselines


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "NHITTS"}, "there is no model 'NHITTS' (did you mean 'NHITS'?)"),
        ({"model": None}, "model is missing"),
        ({"model": "AutoNHITS"}, "AutoNHITS searches its own arguments; name NHITS"),
        ({"space": {}}, "space is empty"),
        ({"space": 3}, "space is 3; it must be a mapping"),
        ({"space": {"foo": [1]}}, "NHITS has no argument 'foo'"),
        ({"space": {"h": [1]}}, "'h' cannot be given, it is set by the key horizon"),
        ({"space": {"input_size": []}}, "input_size is empty"),
        ({"space": {"input_size": [8, 8]}}, "input_size contains duplicates"),
        ({"space": {"input_size": 8}}, "input_size is 8; it must be a list of values, or a range"),
        ({"space": {"learning_rate": [0.1, "x"]}}, "learning_rate is 'x'; it must be a number"),
        ({"space": {"learning_rate": {"low": 1, "high": 1}}}, "numbers with low below high"),
        ({"space": {"learning_rate": {"low": 0, "high": 1, "log": True}}}, "with low above 0"),
        ({"space": {"input_size": {"low": 8, "high": 9, "step": 4}}}, "step is 4"),
        ({"space": {"input_size": {"low": 8, "hihg": 9}}}, "'hihg' (did you mean 'high'?)"),
        ({"space": {"max_steps": [5, 10]}}, "max_steps, which halving sets; set halving: false"),
        ({"params": {"input_size": 8}}, "'input_size' is in both params and space"),
        ({"keep": 21}, "keep is 21, but there are only 20 trials"),
        ({"keep": 3, "space": {"input_size": [8, 9]}}, "only 2 combinations in space"),
        ({"trials": 0}, "trials is 0; it must be an integer from 1 to 1000"),
        ({"halving": 1}, "halving is 1; it must be true or false"),
        ({**SMALL, "halving": True}, "AutoETS is not trained in steps"),
        ({"time_limit": 0}, "time_limit is 0; it must be a number above 0, or null"),
        ({"exogenous": "both"}, "exogenous is 'both'"),
        ({"name": "a/b"}, "name 'a/b' is not allowed"),
        ({"trails": 5}, "unknown key 'trails' (did you mean 'trials'?)"),
    ],
)
def test_bad_input_is_refused_in_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        settings(**changes)
    assert str(refused.value).startswith("configuration: search[0]: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_must_be_free() -> None:
    with pytest.raises(UserError, match="two models are named 'NHITS_search1'"):
        resolve({"models": [{"name": "NHITS_search1", "model": "NHITS"}], "search": [ITEM]})
    with pytest.raises(UserError, match="two searches are named 'NHITS_search'"):
        resolve({"search": [ITEM, {**ITEM, "keep": 2}]})
    with pytest.raises(UserError, match="unknown key 'search'"):
        resolve({"models": [{"name": "A", "model": "NHITS", "search": "other"}]})


class TestFrozen:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "config.yaml").write_text(dump(settings(keep=2)))
        return tmp_path

    def test_arguments_come_from_the_study(self, folder: Path) -> None:
        path = folder / "config.yaml"
        assert [item["params"] for item in read_frozen(path)["models"]] == [{}, {}]
        found = {"input_size": 24, "learning_rate": 0.001}
        trials = [{"trial": 3, "round": 1, "error": 1.5, "params": found}]
        result = {"status": "failed", "reason": "only one", "trials": trials}
        write_json(folder / "search/NHITS_search/chosen.json", result)
        frozen = read_frozen(path)
        assert [item["params"] for item in frozen["models"]] == [found, {}]
        assert differences(frozen, {"models": [], "search": [{**ITEM, "keep": 2}]}) == []

    @pytest.mark.parametrize("content", ["[]", "{", '{"status": "ok"}', '{"trials": [3]}'])
    def test_a_damaged_result_is_missing(self, folder: Path, content: str) -> None:
        path = folder / "search/NHITS_search/chosen.json"
        path.parent.mkdir(parents=True)
        path.write_text(content)
        assert [item["params"] for item in read_frozen(folder / "config.yaml")["models"]] == [
            {},
            {},
        ]

    def test_other_arguments_than_those_of_the_space_are_ignored(self, folder: Path) -> None:
        found = {"input_size": 24, "optimizer": "os.system"}
        trials = [{"trial": 0, "round": 0, "error": 1.0, "params": found}]
        result = {"status": "ok", "reason": "", "trials": trials}
        write_json(folder / "search/NHITS_search/chosen.json", result)
        assert read_frozen(folder / "config.yaml")["models"][0]["params"] == {}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("trials: 20", "trials: 2000000"),
            ("keep: 2", "keep: 21"),
            ("- name: NHITS_search\n", "- name: ../../elsewhere\n"),
            ("    input_size:\n    - 24\n", "    optimizer:\n    - 24\n"),
            ("halving: true", "halving: maybe"),
            ("search: NHITS_search\n", "search: ../../elsewhere\n"),
        ],
    )
    def test_invalid_results_are_refused(self, folder: Path, old: str, new: str) -> None:
        path = folder / "config.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(Damaged, match="is damaged"):
            read_frozen(path)
