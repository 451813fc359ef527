"""Results that several models share because they depend on the same arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Value = TypeVar("Value")
Arrays = tuple[npt.NDArray[Any], ...]


class Computed(Generic[Value]):
    """Results computed once for equal arrays.

    Attributes
    ----------
    values : the results so far
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._given: list[Arrays] = []

    def of(self, given: Arrays, compute: Callable[[], Value]) -> Value:
        """Return the result for some arrays, which must not change; perhaps computed earlier."""
        for value, known in zip(self.values, self._given, strict=True):
            if len(known) == len(given) and all(map(_equal, known, given)):
                return value
        self._given.append(given)
        self.values.append(compute())
        return self.values[-1]


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)
