"""Result of a call on a deployment."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Result:
    """Result of a call.

    Attributes
    ----------
    origins : names of the origins that were written or scored
    lines : messages for the user; warnings begin with ``warning: ``
    changed : False if the call changed nothing
    """

    origins: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    changed: bool = True
