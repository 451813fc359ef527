"""What a wheel carries besides the library, in ``forerun/project/``; see forerun/resources.py."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Files and folders of the repository.
SHIPPED = (
    "Snakefile",
    "config/README.md",
    "config/config.yaml",
    "config/experiments",
    "data/README.md",
    "data/us_employment_monthly.csv",
    "profiles",
    "scripts/*.py",
    "workflow",
)


class ShippedFiles(BuildHookInterface):
    """Add them to a wheel. An editable installation finds them in the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files before a wheel is built."""
        if version != "standard":
            return
        root = Path(self.root)
        paths = [path for pattern in SHIPPED for path in sorted(root.glob(pattern))]
        build_data["force_include"] |= {
            str(path): f"forerun/project/{path.relative_to(root).as_posix()}" for path in paths
        }
