"""Settings that contradict an existing run are refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.runs import state


def test_each_key_is_named_with_both_values(tmp_path: Path) -> None:
    frozen = resolve({"max_steps": 5, "horizon": 3})
    state.refuse_contradictions(tmp_path / "a", frozen, {"max_steps": 5})
    with pytest.raises(UserError) as caught:
        state.refuse_contradictions(tmp_path / "a", frozen, {"max_steps": 7, "horizon": 4})
    assert str(caught.value) in (
        "run 'a' exists with other settings: max_steps is 5, requested 7; horizon is 3, requested "
        "4; choose another run id",
        "run 'a' exists with other settings: horizon is 3, requested 4; max_steps is 5, requested "
        "7; choose another run id",
    )
