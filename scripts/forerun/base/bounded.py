"""Reading untrusted files: regular files only, bounded in size and in depth."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from forerun.base.errors import UserError

#: Maximum size of a small file of a run: a configuration, an outcome, a leaderboard.
SMALL = 16_000_000
#: Maximum size of a table of a run: forecasts or errors of each series.
LARGE = 32_000_000_000
#: Maximum nesting depth of a JSON file.
DEEPEST = 40
#: Bytes to read first, more than most small files have.
_FIRST = 32_768
#: Maximum number of digits of an integer in a JSON file.
_DIGITS = 18


class Damaged(UserError):
    """A file of a run is missing or has invalid content."""


def open_regular(path: str | Path, most: int, follow: bool = False) -> IO[bytes]:
    """Open a regular file for reading; pipes and devices are refused.

    Parameters
    ----------
    most : maximum size in bytes
    follow : whether a symbolic link may lead out of the file's folder

    Raises
    ------
    Damaged
        The file is missing, not regular, a link out of its folder, or too large.
    """
    return os.fdopen(_open_regular(path, most, follow), "rb")


def _open_regular(path: str | Path, most: int, follow: bool = False) -> int:
    """Return the descriptor of a file; see :func:`open_regular`."""
    try:
        descriptor = _open(path, follow)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENXIO:
            raise Damaged(f"{path}: cannot be read (it is not a regular file)") from None
        reason = getattr(error, "strerror", None) or error
        raise Damaged(f"{path}: cannot be read ({reason})") from None
    state = os.fstat(descriptor)
    wrong = ""
    if not stat.S_ISREG(state.st_mode):
        kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
        wrong = f"cannot be read (it is {kind})"
    elif state.st_size > most:
        wrong = f"is too large ({state.st_size / 1e6:,.0f} MB; at most {most / 1e6:,.0f} MB)"
    if wrong:
        os.close(descriptor)
        raise Damaged(f"{path}: {wrong}")
    return descriptor


def _open(path: str | Path, follow: bool) -> int:
    how = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if not follow:
        try:
            return os.open(path, how | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        if not _stays(path):
            raise Damaged(f"{path}: is a link to a place outside its folder")
    return os.open(path, how)


def _stays(link: str | Path) -> bool:
    """Return whether the target of a link is in the same folder or below."""
    return Path(os.path.realpath(link)).is_relative_to(os.path.realpath(Path(link).parent))


def read_bytes(path: str | Path, most: int = SMALL) -> bytes:
    """Read a regular file of at most `most` bytes."""
    descriptor, content = _open_regular(path, most), b""
    try:
        # Python allocates as much as it is asked to read.
        while len(content) <= most and (more := os.read(descriptor, max(_FIRST, len(content)))):
            content += more
    except OSError as error:
        raise Damaged(f"{path}: cannot be read ({error.strerror or error})") from None
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise Damaged(f"{path}: is too large (at most {most / 1e6:,.0f} MB)")
    return content


def read_text(path: str | Path, most: int = SMALL) -> str:
    """Read a text file in UTF-8."""
    content = read_bytes(path, most)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged(f"{path}: is not text in UTF-8") from None
    if "\0" in text:
        raise Damaged(f"{path}: is not a text file")
    return text


def parse_json(text: str) -> Any:
    """Parse JSON; non-finite numbers and overlong integers become ``None``.

    Raises
    ------
    ValueError
        The string is not JSON, nested too deeply, or contains half of a surrogate pair.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("{") + text.count("[") >= DEEPEST:
        _check_depth(value)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _DIGITS else None


_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite, parse_int=_whole)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


Shape = Mapping[str, Any]


def shaped(value: Any, shape: Shape) -> dict[str, Any]:
    """Return the items of a mapping that have the right type; drop the others.

    Parameters
    ----------
    shape
        A type for each key (``float`` accepts integers as well). A list of one type stands for a
        list of such values, a mapping for a nested shape; the single key ``"*"`` means any key.
    """
    if not isinstance(value, dict):
        return {}
    if "*" in shape:
        keys = [key for key in value if isinstance(key, str)]
        pairs = {key: _fitting(value[key], shape["*"]) for key in keys}
    else:
        pairs = {key: _fitting(value[key], rule) for key, rule in shape.items() if key in value}
    return {key: found for key, found in pairs.items() if found is not None}


def _fitting(value: Any, rule: Any) -> Any:
    """Return a value that fits a rule of :func:`shaped`; otherwise None."""
    if type(value) is rule and rule is not float:
        return value
    if isinstance(rule, dict):
        return shaped(value, rule) if isinstance(value, dict) else None
    if isinstance(rule, list):
        if not isinstance(value, list):
            return None
        return [item for item in value if isinstance(item, rule[0])]
    if isinstance(value, bool) and rule is not bool:
        return None
    if rule is float and isinstance(value, (int, float)):
        return float(value) if math.isfinite(value) else None
    return value if isinstance(value, rule) else None
