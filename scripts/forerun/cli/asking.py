"""What a call asks for: options over files over defaults; and how Snakemake is told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forerun.cli.workspace import CONFIG
from forerun.errors import UserError
from forerun.yaml_files import load_yaml

_BARE = re.compile(r"[A-Za-z./~][A-Za-z0-9_./~-]*")
_WORDS = {"true": True, "false": False, "null": None, "none": None, "": None}
_LONG = {"-C": "--config", "--configfiles": "--configfile"}


@dataclass
class Asked:
    """The layers of a configuration, the later ones stronger.

    Attributes
    ----------
    base : what stands in config/config.yaml, which new runs start from
    files : configuration files named in the call
    in_files : what stands in them
    options : what the command's options say
    rest : arguments for Snakemake other than its configuration
    """

    base: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    in_files: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)

    @property
    def run_id(self) -> str | None:
        """The run that is named anywhere."""
        everything = {**self.base, **self.in_files, **self.options}
        value = everything.get("run_id")
        return None if value is None else str(value)

    def named(self, run_id: str) -> dict[str, Any]:
        """Return what is asked for beyond config/config.yaml."""
        experiment = CONFIG.parent / "experiments" / f"{run_id}.yaml"
        own = load_yaml(experiment) if experiment.is_file() else {}
        return {**self.in_files, **own, **self.options}

    def arguments(self) -> list[str]:
        """Return the arguments that tell Snakemake."""
        told = ["--configfile", *self.files] if self.files else []
        pairs = [f"{key}={encode(value)}" for key, value in self.options.items()]
        return [*told, *(["--config", *pairs] if pairs else []), *self.rest]


def gather(file: Path | None, options: Mapping[str, Any], extras: Sequence[str]) -> Asked:
    """Collect the layers from the files, the given options and the arguments after ``--``."""
    asked = Asked(base=load_yaml(CONFIG) if CONFIG.is_file() else {})
    asked.files = [str(file)] if file is not None else []
    pairs: list[str] = []
    _sort_extras(extras, pairs, asked)
    for name in asked.files:
        if not Path(name).is_file():
            what = "is a folder" if Path(name).is_dir() else "does not exist"
            raise UserError(f"--config: '{name}' {what}; give the path of a YAML file")
        asked.in_files |= load_yaml(name)
    given = {key: value for key, value in options.items() if value is not None}
    asked.options = given | dict(map(assignment, pairs))
    return asked


def _sort_extras(extras: Sequence[str], pairs: list[str], asked: Asked) -> None:
    """Take ``--config`` and ``--configfile`` out: Snakemake keeps only the last of each."""
    target = asked.rest
    for item in extras:
        name, sign, value = item.partition("=")
        name = _LONG.get(name, name)
        if name in ("--config", "--configfile"):
            target = pairs if name == "--config" else asked.files
            if sign:
                target.append(value)
        elif item.startswith("-"):
            target = asked.rest
            target.append(item)
        else:
            target.append(item)


def assignment(pair: str) -> tuple[str, Any]:
    """Read ``key=value`` as Snakemake reads it."""
    import yaml

    key, sign, text = pair.partition("=")
    if not sign or not re.fullmatch(r"[A-Za-z_]\w*", key):
        raise UserError(f"'{pair}' is not of the form key=value")
    if text.lower() in _WORDS:
        return key, _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return key, kind(text)
        except ValueError:
            continue
    try:
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return key, text
    if isinstance(value, dict) or (isinstance(value, list) and any(map(_nested, value))):
        raise UserError(f"{key}: nested values belong in a file, give it with --config FILE")
    return key, value


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def encode(value: Any) -> str:
    """Write a value so that Snakemake's ``--config`` reads it back: no shell is involved."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value.lower() not in (*_WORDS, "inf", "nan", "infinity")
        # Snakemake takes quotes off both ends before it parses: the tag and the space keep them.
        return value if bare else f"!!str {json.dumps(value, ensure_ascii=False)} "
    if isinstance(value, list) and all(isinstance(v, str) and _BARE.fullmatch(v) for v in value):
        return ",".join(value) if value else "[]"
    return json.dumps(value, ensure_ascii=False)
