"""Put on the path of Python: hides plugins of Snakemake, whose imports take seconds.

Snakemake imports each plugin that is installed at each start, in jobs of a cluster as well. A user
installs the plugin of one cluster, the tests' environment contains all of them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from typing import Any

HIDDEN = (
    *("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_s3"),
    "snakemake_logger_plugin_rich",
)
_every_module = pkgutil.iter_modules


def _other_modules(*arguments: Any) -> Iterator[pkgutil.ModuleInfo]:
    return (found for found in _every_module(*arguments) if found.name not in HIDDEN)


pkgutil.iter_modules = _other_modules  # type: ignore[assignment]
