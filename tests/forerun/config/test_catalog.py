"""The catalog, read from source, against the libraries themselves."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from forerun.base.errors import UserError
from forerun.config import catalog, source
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


def test_models_are_told_apart():
    nhits = catalog.info("neuralforecast", "NHITS")
    assert (nhits.multivariate, nhits.recurrent, nhits.auto) == (False, False, False)
    assert (nhits.hist_exog, nhits.futr_exog, nhits.stat_exog) == (True, True, True)
    assert nhits.arguments["max_steps"] == source.Argument("int", 1000, False)
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


def test_what_cannot_work_says_why():
    for name, reason in catalog.UNSUPPORTED.items():
        with pytest.raises(UserError) as caught:
            catalog.find(name)
        assert reason in str(caught.value)


def test_a_library_that_is_not_installed(monkeypatch):
    catalog.names.cache_clear()
    real = source.folder
    missing = {"lightgbm", "statsforecast"}
    monkeypatch.setattr(source, "folder", lambda name: None if name in missing else real(name))
    try:
        assert catalog.names("statsforecast") == ()
        with pytest.raises(UserError, match="there is no model 'AutoETS'"):
            catalog.find("AutoETS")
        with pytest.raises(UserError, match="needs the packages mlforecast and lightgbm"):
            catalog.find("LightGBM")
    finally:
        catalog.names.cache_clear()


def test_the_whole_catalog_imports_no_library():
    code = (
        "import sys; from forerun.config import catalog;"
        "from forerun.config.engines import ENGINES;"
        "[catalog.models(engine) for engine in ENGINES];"
        "print(sorted({'torch', 'pandas', 'numpy', 'neuralforecast'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def arguments(cls):
    parameters = dict(list(inspect.signature(cls.__init__).parameters.items())[1:])
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in parameters.items()
        if parameter.kind not in kinds
    }


def same_arguments(info, cls):
    found = {name: argument.required for name, argument in info.arguments.items()}
    assert found == arguments(cls), info.name
    for name, argument in info.arguments.items():
        if isinstance(argument.default, (bool, int, float, str)):
            assert inspect.signature(cls.__init__).parameters[name].default == argument.default


@pytest.mark.slow
def test_neuralforecast_agrees():
    import neuralforecast.auto as auto
    import neuralforecast.losses.pytorch as losses
    import neuralforecast.models as classes
    import pytorch_lightning

    models = catalog.models("neuralforecast")
    expected = [*classes.__all__, *auto.__all__]
    assert sorted(models) == sorted(set(expected) - {"RayOptions", "OptunaOptions"})
    for name, info in models.items():
        cls = getattr(classes, name, None) or getattr(auto, name)
        assert info.auto == hasattr(auto, name) or not info.auto
        same_arguments(info, cls)
        tuned = getattr(classes, info.base) if info.base else cls
        if "HINT" in name:
            continue
        assert info.multivariate == tuned.MULTIVARIATE, name
        assert info.recurrent == tuned.RECURRENT, name
        assert info.futr_exog == tuned.EXOGENOUS_FUTR, name
        assert info.hist_exog == tuned.EXOGENOUS_HIST, name
        assert info.stat_exog == tuned.EXOGENOUS_STAT, name
    trainer = inspect.signature(pytorch_lightning.Trainer.__init__).parameters
    assert catalog.trainer_arguments() == set(trainer) - {"self"}
    for name in catalog.losses():
        found = {key: value.required for key, value in catalog.loss_arguments(name).items()}
        assert found == arguments(getattr(losses, name)), name


def test_statsforecast_agrees():
    import statsforecast.models as classes

    models = catalog.models("statsforecast")
    assert sorted(models) == sorted(classes.__all__)
    for name, info in models.items():
        same_arguments(info, getattr(classes, name))
        assert info.futr_exog == getattr(classes, name).uses_exog, name


def test_regressors_agree():
    sklearn = pytest.importorskip("sklearn.linear_model")
    lightgbm = pytest.importorskip("lightgbm")
    for name, cls in {"Ridge": sklearn.Ridge, "LightGBM": lightgbm.LGBMRegressor}.items():
        found = set(catalog.info("mlforecast", name).arguments) - set(catalog.FEATURES)
        assert found == set(arguments(cls)), name
