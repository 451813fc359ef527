"""Plots: nothing overlaps, models keep their styles, unusual data are drawn."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from plot_samples import LONG_NAME, Sample, sample

from forerun.base.errors import UserError
from forerun.plots import figures as plots
from forerun.plots.style import style


def draw_all(data: Sample) -> dict[str, Figure]:
    """Return one figure of every kind."""
    uid, settings, model = data.first, data.settings, next(iter(data.cv))
    palette = plots.looks([*data.cv, "ensemble", "per_series"])
    looks = {"palette": palette, "settings": settings}
    errors = dict.fromkeys(data.cv, 1.5)
    return {
        "forecast": plots.forecast(data.history, data.predictions, uid, **looks),
        "backtest": plots.backtest(data.history, data.cv, uid, **looks),
        "comparison": plots.comparison(data.history, data.predictions, uid, errors=errors, **looks),
        "error_by_horizon": plots.error_by_horizon(data.cv, **looks),
        "leaderboard": plots.leaderboard(data.leaderboard, **looks),
        "residuals": plots.residuals(data.cv, model, **looks),
        "calibration": plots.calibration(data.cv, palette=palette),
    }


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return every visible text with its position in pixels."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    outside = set()  # ticks that exist beyond the limits of their axis and are not drawn
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_visible():  # the frame is drawn by forerun.plots.frame
                outside |= set(axis.findobj(Text))
                continue
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high or not tick.label1.get_visible():
                    outside |= {tick.label1}
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in outside
    ]


def overlap(one: Bbox, other: Bbox) -> bool:
    """Return whether two boxes overlap by more than one pixel."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > 1.5 and high > 1.5


def check_layout(figure: Figure) -> None:
    found = texts(figure)
    assert len(found) > 5
    page = figure.bbox
    for text, box in found:
        inside = -1 <= box.x0 <= box.x1 <= page.x1 + 1 and -1 <= box.y0 <= box.y1 <= page.y1 + 1
        assert inside, f"{text!r} leaves the page"
    for (text, box), (other_text, other) in itertools.combinations(found, 2):
        assert not overlap(box, other), f"{text!r} covers {other_text!r}"


@pytest.mark.parametrize(
    ("models", "integer"),
    [
        pytest.param(1, True, marks=pytest.mark.long),
        (9, False),
        pytest.param(40, False, marks=pytest.mark.long),
    ],
)
def test_nothing_overlaps(models: int, integer: bool) -> None:
    data = sample(models, integer=integer, names=[LONG_NAME, 200 * "W"], levels=(50, 80, 95))
    for kind, figure in draw_all(data).items():
        try:
            check_layout(figure)
        except AssertionError as error:
            raise AssertionError(f"{kind} of {models} models: {error}") from error


@pytest.mark.parametrize("models", [pytest.param(3, marks=pytest.mark.long), 12])
def test_labels_and_legends_do_not_cover_the_data(models: int) -> None:
    data = sample(models)
    figures = [plots.forecast(data.history, data.predictions, data.first)]
    for figure in [*figures, plots.error_by_horizon(data.cv)]:
        axes = figure.axes[0]
        area = axes.get_window_extent()
        names = {
            text: box for text, box in texts(figure) if text.split(" = ")[0] in data.predictions
        }
        assert len(names) >= min(models, 2)
        for text, box in names.items():
            assert not overlap(area, box), f"{text!r} covers the data"
        for legend in figure.legends:
            assert not overlap(area, legend.get_window_extent())


def test_the_check_for_overlaps_can_fail() -> None:
    figure = plots.leaderboard(sample(3).leaderboard)
    figure.text(0.02, 0.9, "LeaderboardLeaderboard", fontsize=20)
    with pytest.raises(AssertionError, match="covers"):
        check_layout(figure)


def test_a_model_has_the_same_color_in_every_plot() -> None:
    data = sample(4)
    palette = plots.looks(data.cv)
    figures = draw_all(data)
    for model in data.cv:
        color = palette[model].color
        for kind in ("forecast", "backtest", "error_by_horizon", "comparison"):
            drawn = {line.get_color() for axes in figures[kind].axes for line in axes.lines}
            assert color in drawn, (kind, model)
        bars = {matplotlib.colors.to_hex(bar.get_facecolor()).upper()
                for bar in figures["leaderboard"].axes[0].patches}  # fmt: skip
        assert color in bars


def test_a_subset_of_models_keeps_the_colors_of_the_run() -> None:
    data = sample(4)
    palette = plots.looks(data.cv)
    last = list(data.cv)[-1]
    figure = plots.forecast(
        data.history, data.predictions, data.first, models=[last], palette=palette
    )
    assert palette[last].color in {line.get_color() for line in figure.axes[0].lines}


def test_ensemble_and_best_look_different_from_models() -> None:
    looks = plots.looks(["ensemble", "A", "per_series", "B"])
    assert len({look.color for look in looks.values()}) == 4
    assert looks["ensemble"].width > 2 * looks["A"].width - 0.5
    assert looks["per_series"].width > looks["ensemble"].width
    assert looks["per_series"].order < looks["ensemble"].order < looks["A"].order
    assert looks["A"] == plots.looks(["A"])["A"]  # they use no color of the palette


def test_per_series_names_the_chosen_model() -> None:
    data = sample(2)
    chosen = "Model01"
    data.predictions["per_series"]["chosen"] = chosen
    figure = plots.forecast(data.history, data.predictions, data.first)
    assert f"per_series = {chosen}" in {text for text, _ in texts(figure)}


def test_many_models_are_named_together() -> None:
    data = sample(40)
    figure = plots.forecast(data.history, data.predictions, data.first)
    assert "32 other models" in {text for text, _ in texts(figure)}


def test_only_the_recent_history_is_shown() -> None:
    data = sample(1, horizon=4)
    figure = plots.forecast(data.history, data.predictions, data.first)
    assert len(figure.axes[0].lines[0].get_xdata()) == 24
    figure = plots.forecast(data.history, data.predictions, data.first, steps=10)
    assert len(figure.axes[0].lines[0].get_xdata()) == 10


def test_forecasts_are_drawn_unchanged() -> None:
    data = sample(1, special=False)
    model = next(iter(data.predictions))
    figure = plots.forecast(data.history, data.predictions, data.first)
    rows = data.predictions[model]
    expected = rows.loc[rows["unique_id"] == data.first, model].to_numpy()
    line = next(line for line in figure.axes[0].lines if line.get_color() == "#0072B2")
    np.testing.assert_allclose(line.get_ydata()[1:], expected)


def test_future_rows_of_other_columns_are_not_history() -> None:
    data = sample(1)
    last = data.history[data.history["unique_id"] == data.first]["ds"].max()
    future = pd.DataFrame({"unique_id": data.first, "ds": last + pd.to_timedelta([1, 2], "D"),
                           "y": np.nan, "price": 3.0})  # fmt: skip
    figure = plots.forecast(
        pd.concat([data.history, future]), data.predictions, data.first, steps=5
    )
    times = figure.axes[0].lines[0].get_xdata()
    assert pd.Timestamp(times[-1]) == last


def test_a_diverged_model_does_not_flatten_the_others() -> None:
    data = sample(3, special=False)
    model = list(data.predictions)[-1]
    data.predictions[model][model] *= 1e9
    figure = plots.forecast(data.history, data.predictions, data.first)
    assert figure.axes[0].get_ylim()[1] < 5 * data.history["y"].max()
    assert any(text.endswith("↑") for text, _ in texts(figure))


def test_gaps_in_the_data() -> None:
    data = sample(2)
    data.history.loc[data.history.index[10::7], "y"] = np.nan
    for frames in (data.cv, data.predictions):
        model = list(frames)[1]
        frames[model].loc[::3, model] = np.nan
        frames[model].loc[1::3, model] = np.inf
    for figure in draw_all(data).values():
        figure.canvas.draw()


@pytest.mark.parametrize("values", [0.0, 5.0, 1e12, -1e-9])
def test_constant_series(values: float) -> None:
    data = sample(2)
    data.history["y"] = values
    figure = plots.forecast(data.history, data.predictions, data.first)
    low, high = figure.axes[0].get_ylim()
    assert low < values < high


@pytest.mark.parametrize(
    "name",
    [
        *("$x_1$", "\ud800", ""),
        *(
            pytest.param(n, marks=pytest.mark.long)
            for n in ("a\nb\x00c", "日本語", "_under", "%s {}")
        ),
    ],
)
def test_any_name_of_a_series_is_drawn(name: str, tmp_path: Path) -> None:
    data = sample(2, names=[name, "other"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = draw_all(data)
        plots.save(figures["forecast"], tmp_path, "forecast")
    for kind in ("backtest", "comparison"):
        with style():
            figures[kind].draw_without_rendering()


def test_times_read_from_csv_as_text() -> None:
    data = sample(2)
    for frame in [*data.cv.values(), *data.predictions.values()]:
        for column in {"ds", "cutoff"} & set(frame.columns):
            frame[column] = frame[column].astype(str)
    for figure in draw_all(data).values():
        figure.canvas.draw()


def test_a_wide_frame_is_the_same_as_a_frame_per_model() -> None:
    data = sample(2, special=False)
    one, two = data.predictions.values()
    wide = one.merge(two, on=["unique_id", "ds"])
    first = plots.forecast(data.history, data.predictions, data.first)
    second = plots.forecast(data.history, wide, data.first)
    assert texts(first)[0][0] == texts(second)[0][0]
    assert len(first.axes[0].lines) == len(second.axes[0].lines)


def test_a_back_test_shows_six_models_and_always_the_best_of_the_series() -> None:
    data = sample(9, special=False)
    last = list(data.cv)[-1]
    data.cv[last][last] = data.cv[last]["y"]
    figure = plots.backtest(data.history, data.cv, data.first)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 6
    assert titles[-1] == last
    assert any("3 more models" in text for text, _ in texts(figure))


def test_a_back_test_of_many_windows_shows_the_last_ones() -> None:
    data = sample(1, horizon=1, windows=30)
    figure = plots.backtest(data.history, data.cv, data.first)
    assert any("30 windows of 1 step, the last 24 shown" in text for text, _ in texts(figure))


def test_a_comparison_puts_the_lowest_error_first() -> None:
    data = sample(3, special=False)
    names = list(data.predictions)
    errors = {names[0]: 3.0, names[1]: 1.0, names[2]: 2.0}
    figure = plots.comparison(data.history, data.predictions, data.first, errors=errors)
    assert figure.axes[0].get_title(loc="left") == names[1]
    assert any(text == "MAE 1.00" for text, _ in texts(figure))


def test_a_failed_model_is_on_the_leaderboard_with_its_reason() -> None:
    board = pd.DataFrame({
        "model": ["A", "B"], "mae": [1.0, np.nan], "status": ["ok", "failed"],
        "reason": [None, "OutOfMemoryError"],
    })  # fmt: skip
    found = {text for text, _ in texts(plots.leaderboard(board))}
    assert "failed: OutOfMemoryError" in found
    assert "1 without a result" in " ".join(found)


def test_leaderboard_figures() -> None:
    board = pd.DataFrame({
        "model": ["A", "B", "C"], "mae": [2.0, 1.0, 1e9], "skill": [0.25, -0.1, -1e9],
        "train_seconds": [75.0, 3.25, 7260.0], "peak_memory_mb": [512, 2048, 9],
    })  # fmt: skip
    figure = plots.leaderboard(board)
    found = {text for text, _ in texts(figure)}
    assert {
        "2.00",
        "1.00",
        "1.00 B",
        "+25 %",
        "1 min 15 s",
        "3.2 s",
        "2 h 01 min",
        "2.0 GB",
    } <= found
    bars = figure.axes[0].patches
    assert [round(bar.get_width(), 6) for bar in bars[:2]] == [1.0, 2.0]  # the best at the top
    assert bars[2].get_width() == pytest.approx(2.4)  # clipped, not a billion


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: plots.forecast(d.history, d.predictions, "unknown"), "'unknown'"),
        (lambda d: plots.forecast(d.history, {}, d.first), "nothing to draw"),
        (lambda d: plots.backtest(d.history, d.cv, d.first, models=["X"]), "no results of X"),
        (lambda d: plots.error_by_horizon(d.cv, metric="maee"), "did you mean 'mae'"),
        (lambda d: plots.error_by_horizon(d.cv, metric="mase"), "needs the history"),
        (lambda d: plots.leaderboard(d.leaderboard, "rmse"), "no metric 'rmse'"),
        (lambda d: plots.leaderboard(d.leaderboard.iloc[:0]), "empty"),
        (lambda d: plots.residuals(d.cv, "X"), "of 'X'"),
        (lambda d: plots.calibration(sample(levels=()).cv), "no prediction intervals"),
        (lambda d: plots.calibration(d.cv, [33]), "no prediction intervals"),
    ],
)
def test_plots_without_data_are_refused(call: Callable[[Sample], Figure], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(sample(2))


def test_drawing_does_not_change_matplotlibs_settings() -> None:
    before = dict(matplotlib.rcParams)
    draw_all(sample(2))
    assert dict(matplotlib.rcParams) == before
