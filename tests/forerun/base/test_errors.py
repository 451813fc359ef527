"""Suggestions of similar names."""

from __future__ import annotations

import pytest

from forerun.base.errors import nearest, suggest

SHOPS = [f"shop_{number:02}" for number in range(1, 31)]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("shop_1", "shop_01"),
        ("shop_21", "shop_21"),
        ("Shop_2", "shop_02"),
        ("shop-3", "shop_03"),
        ("shop4", "shop_04"),
        ("SHOP 12", "shop_12"),
        ("shop_001", "shop_01"),
    ],
)
def test_numbers_in_names(word: str, found: str) -> None:
    assert nearest(word, SHOPS, 1) == [found]
    assert nearest(word, reversed(SHOPS), 1) == [found]
    assert suggest(word, SHOPS) == f" (did you mean '{found}'?)"


@pytest.mark.parametrize(
    ("word", "names", "found"),
    [
        ("nhits", ["NBEATS", "NHITS", "AutoNHITS"], ["NHITS", "AutoNHITS"]),
        ("horizn", ["horizon", "freq"], ["horizon"]),
        ("exp2", ["exp_1", "exp_02", "other"], ["exp_02", "exp_1"]),
        ("xyz", ["abc"], []),
        ("run_100", ["run_10", "run_100", "run_1000"], ["run_100"]),
        ("", ["abc"], []),
        ("2024_11", ["2024_1", "2024_10", "2024_011"], ["2024_011"]),
    ],
)
def test_nearest(word: str, names: list[str], found: list[str]) -> None:
    assert nearest(word, names)[: len(found)] == found


def test_no_suggestion_without_a_similar_name() -> None:
    assert suggest("xyz", ["abc"]) == ""
