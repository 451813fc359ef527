"""What a call on a deployment has done."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Made:
    """What a call has done.

    Attributes
    ----------
    origins : names of the origins that it wrote or scored
    lines : what there is to say; warnings begin with ``warning: ``
    changed : whether there is anything new to see
    """

    origins: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    changed: bool = True
