"""The configuration of a call (options over files over defaults), and passing it to Snakemake."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.config.layers import Layers
from forerun.config.schema import show
from forerun.config.settings import same_value
from forerun.config.typed import assignment, is_text

_BARE = re.compile(r"[A-Za-z./~][A-Za-z0-9_./~-]*")
_AS_TYPED = re.compile(r"[\w./~][\w./~:+-]*")
_WORDS = ("true", "false", "null", "none", "")
_LONG = {"-C": "--config", "--configfiles": "--configfile"}


@dataclass
class Call(Layers):
    """Configuration layers of a call of the command line.

    Attributes
    ----------
    rest : arguments for Snakemake other than its configuration
    """

    rest: list[str] = field(default_factory=list)

    @property
    def run_id(self) -> str | None:
        """The run id in any layer."""
        value = self.all.get("run_id")
        return None if value is None else str(value)

    def arguments(self) -> list[str]:
        """Return Snakemake's arguments for the same configuration."""
        files = ["--configfile", *self.files] if self.files else []
        pairs = [f"{key}={_encoded(key, value)}" for key, value in self.options.items()]
        return [*files, *(["--config", *pairs] if pairs else []), *self.rest]


def gather(
    files: Sequence[Path],
    options: Mapping[str, Any],
    extras: Sequence[str] = (),
    assignments: Sequence[str] = (),
) -> Call:
    """Collect the configuration layers of a call.

    Parameters
    ----------
    files : configuration files; later files win
    options : values of the command's options; None for those not given
    extras : arguments for Snakemake
    assignments : ``key=value`` of ``--set``

    Raises
    ------
    UserError
        A file is missing, or a key is given twice with different values.
    """
    names = [str(file) for file in files]
    pairs: list[str] = []
    rest: list[str] = []
    _sort_extras(extras, pairs, names, rest)
    for name in names:
        if not Path(name).is_file():
            what = "is a folder" if Path(name).is_dir() else "does not exist"
            raise UserError(f"--config: '{name}' {what}; give the path of a YAML file")
    given = {key: value for key, value in options.items() if value is not None}
    named = [assignment(pair) for pair in assignments]
    named += [assignment(pair, quoted=True) for pair in pairs]
    for key, value in named:
        before = given.setdefault(key, value)
        if not same_value(key, before, value):
            both = f"{show(before)} and {show(value)}"
            raise UserError(f"{key} is given twice: {both}; leave one out")
    call = Call.of(names, given)
    call.rest = rest
    return call


def _sort_extras(
    extras: Sequence[str], pairs: list[str], files: list[str], rest: list[str]
) -> None:
    """Separate ``--config`` and ``--configfile``, of which Snakemake uses only the last one."""
    target = rest
    for item in extras:
        name, sign, value = item.partition("=")
        name = _LONG.get(name, name)
        if name in ("--config", "--configfile"):
            target = pairs if name == "--config" else files
            if sign:
                target.append(value)
        elif item.startswith("-"):
            target = rest
            target.append(item)
        else:
            target.append(item)


def _encoded(key: str, value: Any) -> str:
    """Encode the value of a key, as typed if that is safe."""
    if is_text(key) and isinstance(value, str) and _AS_TYPED.fullmatch(value):
        return value if assignment(f"{key}={value}")[1] == value else encode(value)
    return encode(value)


def encode(value: Any) -> str:
    """Encode a value so that Snakemake's ``--config`` parses it back, without a shell."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value.lower() not in (*_WORDS, "inf", "nan", "infinity")
        # Snakemake strips quotes at both ends before parsing: the tag and the space protect them.
        return value if bare else f"!!str {json.dumps(value, ensure_ascii=False)} "
    if isinstance(value, list) and all(isinstance(v, str) and _BARE.fullmatch(v) for v in value):
        return ",".join(value) if value else "[]"
    return json.dumps(value, ensure_ascii=False)
