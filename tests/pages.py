"""Parses pages without a browser."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any


def data_of(page: Path) -> dict[str, Any]:
    """Unpack the data of a page as the browser does."""
    found = re.search(r'id="data">([^<]*)<', page.read_text(encoding="utf-8"))
    assert found
    unpacked: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return unpacked


def words_of(page: Path) -> str:
    """Return a page's text without scripts, styles and tags."""
    source = page.read_text(encoding="utf-8")
    source = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", source)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source)).split())
