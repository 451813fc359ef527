"""A figure drawn once, as pixels and as SVG.

``Figure.savefig`` lays out and draws all artists again for each format, which takes most of its
time. Here one pass over the artists goes to both of matplotlib's renderers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from matplotlib.transforms import Transform
from PIL import Image
from PIL.PngImagePlugin import PngInfo

POINTS = 72
"""Points of an inch: the units of sizes of text, and of a page in SVG."""
_SIZE = re.compile(r'\b(width|height)="([\d.]+)pt"')


class _Both(RendererAgg):
    """Draws on pixels, and everything once more on another renderer with the same coordinates.

    The other one writes SVG; while an artist asks for pixels (``rasterized``) it is a transparent
    layer, which is put into the SVG as a picture.
    """

    def __init__(self, width: int, height: int, dpi: float, svg: RendererSVG) -> None:
        self.svg = svg
        self.other: Any = svg
        self._larger: dict[FontProperties, FontProperties] = {}
        super().__init__(width, height, dpi)
        for name in ("draw_markers", "draw_path_collection", "draw_image"):
            setattr(self, name, self._twice(name, getattr(self, name)))

    def _twice(self, name: str, first: Callable[..., None]) -> Callable[..., None]:
        def both(*arguments: Any, **options: Any) -> None:
            first(*arguments, **options)
            getattr(self.other, name)(*arguments, **options)

        return both

    def draw_path(
        self,
        gc: GraphicsContextBase,
        path: Outline,
        transform: Transform,
        rgbFace: Any = None,
    ) -> None:
        super().draw_path(gc, path, transform, rgbFace)
        self.other.draw_path(gc, path, transform, rgbFace)

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Text | None = None,
    ) -> None:
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        # In SVG a point is a unit; here a unit is a pixel.
        font = self._enlarged(prop) if self.other is self.svg else prop
        self.other.draw_text(gc, x, y, s, font, angle, ismath)

    def _enlarged(self, font: FontProperties) -> FontProperties:
        if font not in self._larger:
            self._larger[font] = font.copy()
            self._larger[font].set_size(font.get_size_in_points() * self.dpi / POINTS)
        return self._larger[font]

    def open_group(self, s: str, gid: str | None = None) -> None:
        self.svg.open_group(s, gid)

    def close_group(self, s: str) -> None:
        self.svg.close_group(s)

    def start_rasterizing(self) -> None:
        self.other = RendererAgg(self.width, self.height, self.dpi)

    def stop_rasterizing(self) -> None:
        layer, self.other = np.asarray(self.other.buffer_rgba()), self.svg
        rows, columns = np.nonzero(layer[:, :, 3])
        if len(rows):
            top, bottom = rows.min(), rows.max() + 1
            left, right = columns.min(), columns.max() + 1
            picture = layer[top:bottom, left:right][::-1]
            self.svg.draw_image(self.new_gc(), left, self.height - bottom, picture)


def pixels(figure: Figure, dpi: int) -> np.ndarray:
    """Draw a figure; return its picture alone."""
    before = figure.dpi
    figure.dpi = dpi
    try:
        renderer = RendererAgg(*figure.canvas.get_width_height(physical=True), dpi)
        figure.draw(renderer)
    finally:
        figure.dpi = before
    return np.asarray(renderer.buffer_rgba())


def render(figure: Figure, dpi: int, title: str) -> tuple[np.ndarray, str]:
    """Draw a figure; return its picture, and its SVG of the same size in inches."""
    before = figure.dpi
    figure.dpi = dpi
    try:
        width, height = figure.canvas.get_width_height(physical=True)
        text = io.StringIO()
        metadata = {"Title": title, "Date": None}
        svg = RendererSVG(width, height, text, image_dpi=POINTS, metadata=metadata)
        both = _Both(width, height, dpi, svg)
        figure.draw(both)
        svg.finalize()
    finally:
        figure.dpi = before
    picture = np.asarray(both.buffer_rgba())
    return picture, _SIZE.sub(lambda found: _in_points(found, dpi), text.getvalue(), count=2)


def _in_points(size: re.Match[str], dpi: int) -> str:
    return f'{size[1]}="{float(size[2]) * POINTS / dpi:g}pt"'


def png(picture: np.ndarray, dpi: int, title: str) -> bytes:
    """Return a picture (rows, columns, RGBA) as a PNG file; without alpha if it is opaque."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    if picture[:, :, 3].min() == 255:
        image = image.convert("RGB")  # a tenth smaller and faster to write
    notes = PngInfo()
    notes.add_text("Title", title)
    notes.add_text("Software", f"Matplotlib {matplotlib.__version__}")
    file = io.BytesIO()
    image.save(file, "png", dpi=(dpi, dpi), pnginfo=notes, compress_level=1)
    return file.getvalue()
