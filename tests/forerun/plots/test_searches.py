"""Figure and chart of a search."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from forerun.base.errors import UserError
from forerun.config.models import ModelSpec
from forerun.config.search import Candidate, Chosen, Study
from forerun.plots.figures import search
from forerun.plots.style import looks
from forerun.report import charts
from forerun.runs.search import Result

STUDY = pd.DataFrame(
    {
        "round": [0, 0, 0, 0, 1, 1],
        "trial": [0, 1, 2, 3, 2, 0],
        "max_steps": [30.0] * 4 + [90.0] * 2,
        "error": [2.0, None, 1.0, 4.0, 0.5, 0.7],
        "params": ["{}"] * 6,
    }
)


def test_lines_join_the_rounds_of_a_trial() -> None:
    look = looks(["NHITS_search1"])["NHITS_search1"]
    figure = search(STUDY, "NHITS_search", [2], look=look)
    axes = figure.axes[0]
    drawn = [line for line in axes.get_lines() if line.get_marker() == "o"]
    lines = {tuple(line.get_ydata()): line for line in drawn}
    assert set(lines) == {(2.0, 0.7), (1.0, 0.5), (4.0,)}
    assert to_hex(lines[1.0, 0.5].get_color()) == to_hex(look.color)
    assert to_hex(lines[2.0, 0.7].get_color()) != to_hex(look.color)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["Round 1: 30 steps", "Round 2: 90 steps"]
    texts = " ".join(text.get_text() for text in figure.texts)
    assert "4 trials, 5 fits" in texts
    assert "1 fit without a result not shown." in texts


def test_rounds_without_steps_and_without_errors() -> None:
    figure = search(STUDY.assign(max_steps=float("nan")), "A", [])
    assert figure.axes[0].get_xticklabels()[0].get_text() == "Round 1"
    with pytest.raises(UserError, match="no trial of A succeeded"):
        search(STUDY.assign(error=float("nan")), "A", [])


def test_the_chart_of_the_report_colors_chosen_trials() -> None:
    chosen = Chosen([Candidate(2, {}), Candidate(0, {})], "ok", "", exists=True)
    result = Result(Study(ModelSpec("S", "neuralforecast", "NHITS"), keep=2), STUDY, chosen)
    chart = charts.searches([result], "mae", {"S1": 4})
    assert chart is not None
    others, first, second = chart["variants"][0]["data"]
    assert (others["y"], others["neutral"]) == ([4.0], True)
    assert (first["name"], first["m"], first["y"]) == ("S1", 4, [1.0, 0.5])
    assert (second["name"], second["neutral"]) == ("S2", True)
    assert charts.searches([], "mae", {}) is None
