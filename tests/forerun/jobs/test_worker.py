"""What a child process writes while it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from forerun.jobs import worker
from forerun.runs.progress import Progress


def test_progress_is_written_each_second_and_the_first_total_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "progress.json", [100.0]
    monkeypatch.setattr(worker.time, "time", lambda: clock[0])
    report = worker.ProgressFile(str(path), model="AutoETS")

    def after(seconds: float, step: int, total: int) -> Progress | None:
        clock[0] += seconds
        report(step, total, None)
        return Progress.read(path)

    assert after(0.0, 0, 0) == Progress(0, 0)
    # The first series of many may take long: the board shows 0 of 7 meanwhile.
    assert after(0.2, 0, 7) == Progress(0, 7, elapsed=0.2)
    assert after(0.5, 1, 7) == Progress(0, 7, elapsed=0.2)
    assert after(0.5, 2, 7) == Progress(2, 7, elapsed=1.2)
    assert after(0.1, 7, 7) == Progress(7, 7, elapsed=1.3)
