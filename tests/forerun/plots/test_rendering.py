"""A figure is drawn once for both formats; a panel has the frame of matplotlib's axes."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter
from PIL import Image
from plot_samples import sample

from forerun.plots import figures as plots
from forerun.plots.frame import draw_frame, ticks_of
from forerun.plots.rendering import pixels, png, render
from forerun.plots.style import DPI, style


def panel() -> Axes:
    figure = Figure((3.0, 2.0))
    FigureCanvasAgg(figure)
    return figure.add_axes((0.2, 0.2, 0.7, 0.7))


def test_pixels_are_those_of_matplotlib() -> None:
    figure = plots.leaderboard(sample(3).leaderboard)
    with style():
        picture, _ = render(figure, DPI, "x")
        alone = pixels(figure, DPI)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI)
    np.testing.assert_array_equal(picture, Image.open(file).convert("RGBA"))
    np.testing.assert_array_equal(picture, alone)


@pytest.mark.parametrize(("alpha", "mode"), [(255, "RGB"), (254, "RGBA")])
def test_a_png_has_the_pixels_and_alpha_only_if_needed(alpha: int, mode: str) -> None:
    picture = np.full((2, 3, 4), 255, dtype=np.uint8)
    picture[0, 1] = (10, 20, 30, alpha)
    image = Image.open(io.BytesIO(png(picture, 144, "Sales")))
    assert (image.mode, image.text["Title"]) == (mode, "Sales")
    assert round(image.info["dpi"][0]) == 144
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), picture)


def test_both_formats_have_the_size_of_the_figure_in_inches() -> None:
    with style():
        figure = panel().figure
        before = figure.dpi
        picture, svg = render(figure, 200, "x")
    assert picture.shape == (400, 600, 4)
    assert 'width="216pt" height="144pt" viewBox="0 0 600 400"' in svg
    assert figure.dpi == before != 200


def test_rasterized_artists_are_images_in_the_svg() -> None:
    with style():
        axes = panel()
        axes.set_axis_off()
        axes.scatter([0.5], [0.5], s=72**2 / 4, color="red", linewidth=0, rasterized=True)
        axes.plot([0, 1], [0.5, 0.5], color="blue")
        _, svg = render(axes.figure, 100, "x")
    (found,) = re.findall(r'<image [^>]*base64,\s*([^"]+)"', svg)
    dot = np.asarray(Image.open(io.BytesIO(base64.b64decode(found))))
    assert dot.shape[:2] in {(50, 50), (51, 51), (52, 52)}  # half an inch, with blurred edges
    assert tuple(dot[25, 25]) == (255, 0, 0, 255)
    assert "#0000ff" in svg


def test_the_frame_has_the_ticks_and_labels_of_the_axes() -> None:
    with style():
        axes = panel()
        axes.set(xlim=(0, 10), ylim=(4, 2), xlabel="across", ylabel="up")
        axes.xaxis.set_major_locator(FixedLocator([-1, 0, 5, 10]))
        axes.yaxis.set_major_locator(FixedLocator([2, 3.5]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"x{value:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"y{value:g}"))
        x, y = ticks_of(axes.xaxis), ticks_of(axes.yaxis)
        draw_frame(axes, x, y)
    assert (x.labels, x.places.tolist()) == (["x0", "x5", "x10"], [0.0, 0.5, 1.0])
    assert (y.labels, y.places.tolist()) == (["y2", "y3.5"], [1.0, 0.25])
    assert {text.get_text() for text in axes.texts} == {*x.labels, *y.labels, "across", "up"}
    assert len(axes.collections[0].get_segments()) == 5


def test_a_logarithmic_axis_has_small_ticks_between() -> None:
    with style():
        axes = panel()
        axes.set_xscale("log")
        axes.set_xlim(1, 100)
        ticks = ticks_of(axes.xaxis)
    np.testing.assert_allclose(ticks.places, [0, 0.5, 1])
    assert len(ticks.minor) == 16
