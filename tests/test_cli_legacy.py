"""Models of the unversioned structure: used in place, and after migration."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import write_table

from forerun.cli.app import run

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An old output folder, ``data/output``, with one saved model and its data."""
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.models import DLinear

    monkeypatch.chdir(tmp_path)
    frame = pd.read_csv(
        write_table(tmp_path / "table.csv", series=2, length=40), parse_dates=["ds"]
    )
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    model = DLinear(h=3, input_size=6, max_steps=2, val_check_steps=2, accelerator="cpu", **quiet)
    fitted = NeuralForecast(models=[model], freq="D")
    fitted.fit(frame)
    output = tmp_path / "data" / "output"
    fitted.save(str(output / "models"), save_dataset=True)
    (output / "metrics.csv").write_text(
        "unique_id,metric,DLinear\nseries_0,mae,2.0\nseries_1,mae,1.0\n"
    )
    fitted.predict().to_csv(tmp_path / "expected.csv", index=False)
    return tmp_path


def test_old_models_before_and_after_migrating(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas as pd

    expected = pd.read_csv(home / "expected.csv")
    output = home / "data" / "output"
    assert run(["predict", "-o", "data/output", "--name", "x"]) == 0
    assert "not recommended" in capsys.readouterr().err
    before = pd.read_csv(output / "inference" / "x" / "DLinear.csv")
    pd.testing.assert_frame_equal(before, expected, atol=1e-5)

    assert run(["migrate", "-o", "data/output"]) == 0
    assert run(["list-runs", "-o", "data/output"]) == 0
    (folder,) = (output / "runs").iterdir()
    assert f"{folder.name}  DLinear" in capsys.readouterr().out
    assert run(["predict", "-o", "data/output", "-r", folder.name, "--cherry-pick"]) == 0
    assert "series series_1" in capsys.readouterr().out
    after = pd.read_csv(folder / "inference" / "cherry_pick_series_1" / "DLinear.csv")
    wanted = expected[expected["unique_id"] == "series_1"].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, wanted, atol=1e-5)
    assert (folder / "comparisons" / "comparison_series_1.png").is_file()
    assert run(["verify", folder.name, "-o", "data/output"]) == 0
