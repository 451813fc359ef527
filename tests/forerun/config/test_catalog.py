"""The catalog of models, and that it describes the installed libraries."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from forerun.base.errors import UserError
from forerun.config import catalog, engines, params
from forerun.config.engines import ENGINES

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_names_and_engines():
    assert {"NHITS", "NBEATS", "LSTM", "AutoNHITS", "Autoformer"} <= set(
        catalog.names("neuralforecast")
    )
    assert {"SeasonalNaive", "AutoETS", "MSTL", "UCM"} <= set(catalog.names("statsforecast"))
    assert "RayOptions" not in catalog.names("neuralforecast")
    everywhere = [name for engine in ENGINES for name in catalog.names(engine)]
    assert len(everywhere) == len(set(everywhere)), "a name must tell the engine"
    assert catalog.find("AutoETS") == ("statsforecast", "AutoETS")


def test_models_are_distinguished():
    nhits = catalog.info("neuralforecast", "NHITS")
    assert (nhits.multivariate, nhits.recurrent, nhits.auto) == (False, False, False)
    assert (nhits.hist_exog, nhits.futr_exog, nhits.stat_exog) == (True, True, True)
    assert nhits.arguments["max_steps"] == catalog.Argument("int", 1000, False)
    assert nhits.arguments["h"].required
    assert nhits.summary.startswith("The Neural Hierarchical Interpolation")
    assert catalog.info("neuralforecast", "DeepAR").recurrent
    assert catalog.info("neuralforecast", "TSMixer").multivariate
    assert catalog.info("neuralforecast", "AutoTSMixer").multivariate
    assert catalog.info("neuralforecast", "AutoNHITS").base == "NHITS"
    assert not catalog.info("neuralforecast", "Autoformer").auto
    assert catalog.info("statsforecast", "AutoARIMA").futr_exog
    assert not catalog.info("statsforecast", "AutoETS").futr_exog
    assert "season_length" in catalog.info("statsforecast", "Holt").arguments


def test_unsupported_models_have_a_reason():
    refused = {n: i.unsupported for e in ENGINES for n, i in catalog.of_engine(e).models.items()}
    refused = {name: reason for name, reason in refused.items() if reason}
    assert {"HINT", "AutoHINT", "TimeLLM", "SklearnModel", "NaNModel"} == set(refused)
    for name, reason in refused.items():
        with pytest.raises(UserError, match=f"cannot be used: it {reason}"):
            catalog.find(name)


def without(monkeypatch, *packages):
    """Make packages appear as not installed."""
    real = engines.version
    monkeypatch.setattr(engines, "version", lambda name: None if name in packages else real(name))


@pytest.mark.parametrize(
    ("model", "packages", "reason"),
    [
        ("AutoETS", ["statsforecast"], "needs the package statsforecast; install it with: pip"),
        ("LightGBM", ["lightgbm"], "needs the package lightgbm; install it with: pip install"),
        ("Ridge", ["mlforecast", "scikit-learn"], "needs the packages mlforecast and scikit-learn"),
        ("AutoxLSTM", ["xlstm"], "needs the package xlstm; install it with: pip install xlstm"),
    ],
)
def test_a_library_that_is_not_installed(monkeypatch, model, packages, reason):
    without(monkeypatch, *packages)
    with pytest.raises(UserError, match=f"model '{model}' cannot be used: it {reason}"):
        catalog.find(model)
    engine = next(name for name in ENGINES if model in catalog.names(name))
    with pytest.raises(UserError, match=reason):  # a run of another installation
        catalog.info(engine, model)
    assert catalog.find("NHITS") == ("neuralforecast", "NHITS")


def test_other_versions_than_the_catalog_s_are_reported_with_errors(monkeypatch):
    installed = engines.version
    newer = {"statsforecast": "99.0"}
    info = catalog.info("statsforecast", "Holt")
    assert catalog.outdated("statsforecast") == ""
    assert params.check(info, {"color": 1}) == ["Holt has no argument 'color'"]
    monkeypatch.setattr(engines, "version", lambda name: newer.get(name) or installed(name))
    note = r"generated for statsforecast [\d.]+ \(99.0 is installed\); regenerate it with: python "
    with pytest.raises(UserError, match=rf"no model 'Prophecy'; the model catalog was {note}"):
        catalog.find("Prophecy")
    assert re.search(note, params.check(info, {"color": 1})[0])
    assert catalog.outdated("neuralforecast") == ""


def test_the_whole_catalog_imports_no_library():
    code = (
        "import sys; from forerun.config import catalog;"
        "from forerun.config.engines import ENGINES;"
        "[catalog.of_engine(engine) for engine in ENGINES];"
        "print(sorted({'torch', 'pandas', 'numpy', 'neuralforecast'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_file_describes_the_installed_libraries():
    """If it fails after a change of versions, run `make catalog`."""
    pytest.importorskip("xgboost")
    pytest.importorskip("catboost")
    from forerun.forecasting.engines import make_catalog

    text, written = make_catalog.text(make_catalog.described()), catalog.FILE.read_text("utf-8")
    found, before = json.loads(text), json.loads(written)
    for engine in ENGINES:
        for part, value in found[engine].items():
            assert before[engine][part] == value, (engine, part)
    assert written == text
