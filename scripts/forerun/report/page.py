"""Rendering of pages: templates, style, script, plotting library and data.

Library and data are compressed inside the page (plotly takes 2 MB instead of 5) and unpacked by the
browser. Tables and text are plain HTML and need no script.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import math
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from forerun import __version__
from forerun.base import text
from forerun.base.files import write_text
from forerun.config.names import REFERENCE

TEMPLATES = Path(__file__).parent / "templates"

#: Maximum size of a page's data, without library, text and tables.
LARGEST_DATA = 2_500_000


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": text.number,
        "error": text.error,
        "duration": text.duration,
        "percent": text.percent,
        "moment": text.moment,
    }
    environment.globals |= {"asset": _asset, "reference": REFERENCE}
    return environment


def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def compressed(content: bytes) -> str:
    """Return bytes compressed with gzip in base64; equal content gives equal output."""
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode("ascii")


@functools.cache
def library() -> str:
    """Return plotly's script, compressed."""
    from plotly.offline import get_plotlyjs

    return compressed(get_plotlyjs().encode("utf-8"))


def data_text(data: Any) -> str:
    """Return the data of a page, compressed. NaN and infinity become null."""
    options: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    try:
        dumped = json.dumps(data, **options)
    except ValueError:  # there is a NaN: looking at each of millions of numbers takes long
        dumped = json.dumps(_finite(data), **options)
    return compressed(dumped.encode("utf-8"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_page(path: str | Path, template: str, charts: bool = True, **context: Any) -> None:
    """Render a template and write the page; `data` in the context may already be compressed."""
    data = context.pop("data", {})
    page = (
        _environment()
        .get_template(template)
        .render(
            data=data if isinstance(data, str) else data_text(data),
            library=library() if charts else "",
            version=__version__,
            **context,
        )
    )
    write_text(path, page)
