"""Work on several cores: results in order, errors, processes that are killed."""

from __future__ import annotations

import os
import signal

import pytest

from forerun.base.parallel import each


@pytest.mark.parametrize("processes", [1, 3])
def test_results_come_in_order(processes: int) -> None:
    base = [10, 20, 30, 40]
    assert list(each(lambda number: base[number] + 1, 4, processes)) == [11, 21, 31, 41]


def test_a_single_process_is_the_current_one() -> None:
    assert set(each(lambda _: os.getpid(), 3, 1)) == {os.getpid()}
    others = set(each(lambda _: os.getpid(), 6, 2))
    assert os.getpid() not in others
    assert 1 <= len(others) <= 2


def test_errors_are_raised_in_the_parent() -> None:
    def broken(number: int) -> int:
        if number == 1:
            raise OSError("disk full")
        return number

    with pytest.raises(OSError, match="disk full"):
        list(each(broken, 3, 2))


def test_a_killed_process_is_an_error() -> None:
    def killed(number: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(MemoryError, match="was killed"):
        list(each(killed, 3, 2))


def test_nothing_to_do() -> None:
    assert list(each(lambda number: number, 0, 4)) == []
