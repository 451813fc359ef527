"""Networks with several seeds: members and their mean among the models of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.config import models, seeds
from forerun.config.frozen import read_frozen
from forerun.config.settings import differences, dump, resolve


def resolved(**asked: Any) -> dict[str, Any]:
    return resolve({"models": ["NHITS"], "baselines": ["Naive"], "seed": 7, **asked})


def test_a_network_becomes_members_and_their_mean() -> None:
    found = models.specs(resolved(seeds=2))
    assert [spec.name for spec in found] == ["Naive", "NHITS_seed1", "NHITS_seed2", "NHITS"]
    naive, first, second, mean = found
    assert naive.members is naive.member_of is None  # no network
    assert (first.params, second.params) == ({"random_seed": 7}, {"random_seed": 8})
    assert first.member_of == second.member_of == "NHITS"
    assert mean.members == ["NHITS_seed1", "NHITS_seed2"]
    assert [seeds.note(spec) for spec in found] == [
        None, "one seed of NHITS", "one seed of NHITS", "mean of 2 seeds",
    ]  # fmt: skip


def test_seeds_of_a_model_override_those_of_the_run() -> None:
    items = [{"name": "A", "model": "NHITS", "seeds": 3, "params": {"random_seed": 5}},
             {"name": "B", "model": "NHITS", "seeds": 1}, "AutoNHITS", "LightGBM"]  # fmt: skip
    made = resolved(models=items, seeds=2)
    names = [item["name"] for item in made["models"]]
    assert names == ["A_seed1", "A_seed2", "A_seed3", "A", "B", "AutoNHITS", "LightGBM"]
    assert made["models"][2]["params"] == {"random_seed": 7}
    assert resolve(made) == made  # B is not expanded when its run is read
    assert [
        item.get("seeds") for item in models.brief(made["models"]) if isinstance(item, dict)
    ] == [3, None]


def test_frozen_settings_are_the_same_again_and_contradictions_are_found(tmp_path: Path) -> None:
    made = resolved(seeds=2, exogenous="both", futr_exog=["promo"])
    assert [item["name"] for item in made["models"]][-1] == "NHITS_exog"
    assert resolve(made) == made
    (tmp_path / "config.yaml").write_text(dump(made))
    frozen = read_frozen(tmp_path / "config.yaml")
    assert frozen["models"] == made["models"]
    again = {"models": ["NHITS"], "seeds": 2}
    plain = read_frozen(_write(tmp_path, resolved(seeds=2)))
    assert differences(plain, again) == []
    keys = [key for key, _, _ in differences(plain, again | {"seeds": 3})]
    assert "seeds" in keys


def _write(folder: Path, settings: dict[str, Any]) -> Path:
    path = folder / "config.yaml"
    path.write_text(dump(settings))
    return path


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": [{"name": "NHITS", "seeds": 0}]}, "it must be an integer from 1 to 100"),
        ({"models": [{"name": "NHITS", "seeds": "2"}]}, "it must be an integer from 1 to 100"),
        ({"models": [{"name": "LightGBM", "seeds": 2}]}, "only networks are trained with seeds"),
        ({"models": [{"name": "AutoNHITS", "seeds": 2}]}, "only networks are trained with seeds"),
        ({"seeds": 0}, "seeds is 0"),
        ({"models": [{"name": "NHITS", "member_of": "x"}]}, "member_of of NHITS"),
        ({"models": [{"name": "NHITS", "members": ["a"]}]}, "members of NHITS"),
        ({"models": [{"name": "NHITS", "members": 3}]}, "members of NHITS"),
        ({"models": [{"name": "NHITS", "members": [["a"]]}]}, "members of NHITS"),
        ({"models": [{"name": ["NHITS"], "member_of": ["a"]}]}, "member_of of ['NHITS']"),
        ({"models": ["NHITS", {"name": "NHITS_seed1", "model": "NHITS", "seeds": 1}], "seeds": 2},
         "two models are named 'NHITS_seed1'"),
    ],
)  # fmt: skip
def test_bad_seeds_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        resolved(**asked)
    assert message in str(error.value)


@pytest.mark.parametrize("damage", ["members: 3", "members: [../x]", "member_of: ../x"])
def test_damaged_members_are_refused(tmp_path: Path, damage: str) -> None:
    text = dump(resolved(seeds=2))
    start = text.index("  member_of: NHITS")
    path = tmp_path / "config.yaml"
    path.write_text(text[:start] + f"  {damage}" + text[start + len("  member_of: NHITS") :])
    with pytest.raises(Damaged, match="models"):
        read_frozen(path)


@pytest.mark.parametrize("first", [None, 1.5, -1, 2**32 - 1])
def test_first_seed_and_those_after_it_are_valid(first: Any) -> None:
    item = {"name": "NHITS", "seeds": 2, "params": {"random_seed": first}}
    with pytest.raises(UserError, match="an integer"):
        resolved(models=[item])
    item["params"] = {"random_seed": 2**32 - 2}
    assert resolved(models=[item])["models"][1]["params"] == {"random_seed": 2**32 - 1}
