"""Colors: one for each model everywhere, distinguishable with any color vision."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from pages import data_of
from synthetic import make_run

from forerun import open_run
from forerun.plots import figures as plots
from forerun.plots import palette
from forerun.plots.palette import (
    COLORS,
    DARK,
    DARK_HIGHLIGHT,
    DARK_INK,
    DARK_MIXED,
    HIGHLIGHT,
    INK,
    MIXED,
    places,
    style,
)
from forerun.plots.style import OTHER
from forerun.report import write_comparison, write_report

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def lab(color: str, sight: str) -> np.ndarray:
    """Return CIE L*a*b* of a color as seen with a kind of color vision."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    ratio = to_xyz @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(color: str, ground: str) -> float:
    """Return the contrast of two colors as WCAG defines it."""
    light, dark = sorted(((lab(c, "normal")[0] + 16) / 116) ** 3 for c in (color, ground))[::-1]
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", list(SIGHT))
@pytest.mark.parametrize(
    "colors",
    [
        [*COLORS, INK, OTHER, HIGHLIGHT, MIXED],
        [*DARK, DARK_INK, DARK_HIGHLIGHT, DARK_MIXED],
    ],
)
def test_colors_are_distinguishable_for_all_color_vision(colors: list[str], sight: str) -> None:
    for one, other in itertools.combinations(colors, 2):
        distance = float(np.linalg.norm(lab(one, sight) - lab(other, sight)))
        assert distance > 12, (one, other, distance)


@pytest.mark.parametrize("color", [*COLORS, INK, MIXED, palette.ACTUAL])
def test_lines_can_be_seen_on_white(color: str) -> None:
    assert contrast(color, "#FFFFFF") > 2.2


@pytest.mark.parametrize("color", [*DARK, DARK_INK, DARK_HIGHLIGHT, DARK_MIXED])
def test_lines_can_be_seen_on_black(color: str) -> None:
    assert contrast(color, "#12161C") > 4


def test_the_ensemble_is_distinguishable_from_actual_values() -> None:
    """On pages, in notebooks and in figures it has another hue and at least twice the width."""
    from forerun.plots.series import OBSERVED
    from forerun.plots.style import looks

    page, picture = style("ensemble", {}), looks(["ensemble"])["ensemble"]
    for sight in SIGHT:
        for one, observed in ((page.light, palette.ACTUAL), (page.dark, DARK_INK),
                              (picture.color, OBSERVED.color)):  # fmt: skip
            assert np.linalg.norm(lab(one, sight) - lab(observed, sight)) > 20
    assert picture.width > 2 * OBSERVED.width
    assert page.width > 2 * 1.8


def test_colors_follow_the_order_of_the_configuration() -> None:
    assert places(["A", "B", "C"], ["C", "ensemble", "A", "B"]) == {"A": 0, "B": 1, "C": 2}
    # An additional model at the end, or other ranks, change no other color.
    assert places(["A", "B", "C", "D"], ["D", "B"]) == {"A": 0, "B": 1, "C": 2, "D": 3}


def test_with_many_models_the_best_ones_have_colors() -> None:
    models = ["SeasonalNaive", *(f"m{number}" for number in range(12))]
    found = places(models, models[::-1])
    own = [name for name, place in found.items() if place < len(COLORS)]
    # SeasonalNaive is the reference; the others have the order of the configuration.
    assert own == ["SeasonalNaive", "m5", "m6", "m7", "m8", "m9", "m10", "m11"]
    assert sorted(found.values()) == list(range(13))


def test_no_two_lines_of_a_page_are_alike() -> None:
    order = {f"m{number}": number for number in range(32)}
    looks = [style(name, order) for name in [*order, "ensemble", "per_series"]]
    assert len({(look.light, look.dash) for look in looks}) == 34
    assert len({(look.dark, look.dash) for look in looks}) == 34


def test_color_is_the_model_and_dashes_are_the_run() -> None:
    first, second = style("A", {"A": 5}, run=0), style("A", {"A": 5}, run=1)
    assert first.light == second.light == COLORS[5]
    assert first.dash == "solid" != second.dash


def test_plots_report_comparison_and_notebook_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs with different ranks, a failed model and an additional model."""
    monkeypatch.setattr("forerun.plots.style.render", lambda *_: (np.zeros((1, 1, 4), "uint8"), ""))
    folders = [
        make_run(tmp_path, "a", models=3, series=2, failed=["NBEATS"]),
        make_run(tmp_path, "b", models=4, series=2, noise=2.0, seed=2),
    ]
    found: dict[str, dict[str, str]] = {}
    for folder in folders:
        run = open_run(folder)
        page = data_of(write_report(folder))
        found[f"report {folder.name}"] = {
            model: look["light"] for model, look in zip(page["models"], page["looks"], strict=True)
        }
        shown = [
            model for model in [*run.ranked, "ensemble", "per_series"] if model not in run.failed
        ]
        lines = run.plot(models=shown).data
        found[f"notebook {folder.name}"] = {t.name: t.line.color for t in lines if t.name in shown}
        predictions = {model: run.predictions_of(model) for model in shown}
        plots.write_all(
            folder / "plots", run.history, None, predictions, run.leaderboard,
            run.config | {"plot_series": 1},
        )  # fmt: skip
        index = json.loads((folder / "plots" / "index.json").read_text())["colours"]
        found[f"plots {folder.name}"] = {model: index[model] for model in shown}
    page = data_of(write_comparison(folders, tmp_path / "comparison.html"))
    for name, look in zip(page["models"], page["looks"], strict=True):
        run_id, _, model = name.partition(" · ")
        found.setdefault(f"comparison {run_id}", {})[model] = look["light"]
    assert len(found) == 8
    together: dict[str, set[str]] = {}
    for colors in found.values():
        for model, color in colors.items():
            together.setdefault(model, set()).add(color)
    assert {model: len(colors) for model, colors in together.items()} == dict.fromkeys(together, 1)
    assert len({min(colors) for colors in together.values()}) == len(together) == 8
