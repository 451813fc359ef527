"""Input files of a deployment. pandas is not imported, as most calls find no new data."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from forerun.base.errors import UserError
from forerun.base.files import sha256
from forerun.deployments.folder import Deployment
from forerun.deployments.settings import Settings


@dataclass(frozen=True)
class Source:
    """Input files of a call.

    Attributes
    ----------
    data, static, future : paths; the latter two are None unless configured
    """

    data: str
    static: str | None = None
    future: str | None = None

    @cached_property
    def checksum(self) -> str:
        """sha256 of the table of observations."""
        return sha256(self.data)


def find(settings: Settings, data_file: str | None = None) -> Source:
    """Return the files given in the call, otherwise those of ``deployment.yaml``.

    A pattern is resolved to its last match in alphabetical order.
    """
    wanted = data_file or settings.data_file
    if Path(wanted).is_file():
        name = wanted
    else:
        found = sorted(name for name in glob.glob(wanted) if Path(name).is_file())
        if not found:
            where = "--data-file" if data_file else "data_file of deployment.yaml"
            raise UserError(f"{where}: there is no file '{wanted}'")
        name = found[-1]
    for key in ("static_file", "futr_file"):
        path = getattr(settings, key)
        if path and not Path(path).is_file():
            raise UserError(f"{key} of deployment.yaml: there is no file '{path}'")
    return Source(name, settings.static_file, settings.futr_file)


def inputs(output: Path, name: str) -> dict[str, str]:
    """Return the files whose change makes an update of a deployment due, for the workflow."""
    one = Deployment(output, name).require()
    files = find(one.settings())
    named = {"config": str(one.config), "champions": str(one.champions), "data": files.data}
    if one.challengers.is_file():
        named["challengers"] = str(one.challengers)
    if one.adjustments.is_file():
        named["adjustments"] = str(one.adjustments)
    return named
