"""Generate config/catalog.json from the installed libraries.

Run by ``make lock``, or with ``python -m forerun.forecasting.engines.make_catalog``.
"""

from __future__ import annotations

import json
from typing import Any

from forerun.base.files import write_text
from forerun.base.terminal import echo
from forerun.config.catalog import FILE
from forerun.config.engines import ENGINES
from forerun.forecasting.engines.base import get_engine


def described() -> dict[str, Any]:
    """Return the content of the file: an entry for each engine."""
    return {name: get_engine(name).describe().as_dict() for name in ENGINES}


def text(found: dict[str, Any]) -> str:
    """Return JSON with one line for each model and loss, for readable diffs."""
    engines = []
    for name, catalog in found.items():
        parts = []
        for key, value in catalog.items():
            items = [f"   {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}"
                     for k, v in value.items()] if key in ("models", "losses") else []  # fmt: skip
            written = "{\n" + ",\n".join(items) + "\n  }" if items else json.dumps(value)
            parts.append(f"  {json.dumps(key)}: {written}")
        engines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(parts) + "\n }")
    return "{\n" + ",\n".join(engines) + "\n}\n"


def main() -> None:
    """Write the catalog."""
    found = described()
    write_text(FILE, text(found))
    count = [f"{len(catalog['models'])} models of {name}" for name, catalog in found.items()]
    echo(f"{FILE}: {', '.join(count)}")


if __name__ == "__main__":
    main()
