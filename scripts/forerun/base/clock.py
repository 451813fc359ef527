"""The time as it is written into files."""

from datetime import UTC, datetime


def now() -> str:
    """The time, UTC, as text."""
    return datetime.now(UTC).isoformat(timespec="seconds")
