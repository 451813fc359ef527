"""The current time as written to files."""

from datetime import UTC, datetime


def now() -> str:
    """Return the current time (UTC) in ISO format."""
    return datetime.now(UTC).isoformat(timespec="seconds")
