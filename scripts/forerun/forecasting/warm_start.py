"""Warm start: networks of a new run continue the weights of an earlier run, on newer data.

The earlier run, the parent, is a sealed run in the same folder, identified by its id.
``provenance.json`` records its seal, and the weights are part of each fit's fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.base.files import sha256
from forerun.base.text import plural
from forerun.config import windows
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, exogenous_columns, specs
from forerun.runs import seal
from forerun.runs.fit import Fit
from forerun.runs.json_files import read_provenance, sealed_files
from forerun.runs.paths import RunPaths, check_run_id
from forerun.runs.run_data import read_data
from forerun.runs.state import is_sealed

if TYPE_CHECKING:
    import pandas as pd

#: Arguments of a network that affect its training, not the meaning of its weights.
OF_TRAINING = frozenset(
    {
        *("max_steps", "learning_rate", "num_lr_decays", "random_seed", "drop_last_loader"),
        *("batch_size", "valid_batch_size", "windows_batch_size", "inference_windows_batch_size"),
        *("early_stop_patience_steps", "val_check_steps", "valid_loss", "start_padding_enabled"),
        *("accelerator", "precision", "gradient_clip_val", "optimizer_kwargs", "step_size"),
    }
)


@dataclass(frozen=True)
class Parent:
    """The run whose weights are continued.

    Attributes
    ----------
    seal : sha256 of its ``SEALED``
    """

    folder: Path
    settings: dict[str, Any]
    seal: str

    @classmethod
    def open(cls, runs: Path, run_id: str) -> Parent:
        """Open a run. Raises an error if it does not exist or is not complete."""
        folder = runs / check_run_id(run_id)
        if not folder.is_dir():
            raise UserError(f"warm_start: there is no run '{run_id}' in {runs}")
        if not is_sealed(folder):
            raise UserError(
                f"warm_start: run '{run_id}' is not complete; 'train --run-id {run_id}' finishes it"
            )
        paths = RunPaths(folder)
        return cls(folder, read_frozen(paths.config), sha256(paths.sealed))

    @property
    def run_id(self) -> str:
        return self.folder.name

    def spec(self, name: str) -> ModelSpec | None:
        """Return the specification of a trained model; None if it was not trained."""
        own = [spec for spec in specs(self.settings) if spec.name == name and not spec.members]
        return own[0] if own and Fit(RunPaths(self.folder), name).has_product() else None

    def seeds(self, name: str) -> int:
        """Return the number of networks whose mean a model is; 0 for other models."""
        own = [spec for spec in specs(self.settings) if spec.name == name]
        return len(own[0].members or ()) if own else 0

    def weights(self, name: str) -> dict[str, str]:
        """Return the sha256 of each file of a model, as recorded in the seal."""
        prefix = f"models/{name}/"
        named = sealed_files(self.folder).items()
        return {path.removeprefix(prefix): sha for path, sha in named if path.startswith(prefix)}

    def refuse_damaged(self, prefix: str) -> None:
        """Raise an error if files differ from the sealed ones."""
        for kind, files in seal.verify(self.folder, prefix).items():
            if files:
                raise UserError(
                    f"warm_start: run '{self.run_id}' is damaged ({kind} {files[0]}); "
                    f"'forerun verify {self.run_id}' lists everything"
                )


def can_continue(spec: ModelSpec) -> bool:
    """Return whether a model continues weights of a run.

    Automatic models, and the models of a search, choose a new network; a mean has none.
    """
    chosen_elsewhere = spec.is_pretrained or spec.info.auto or spec.search or spec.members
    return spec.is_network and not chosen_elsewhere


def weights(run: Path, settings: Mapping[str, Any], spec: ModelSpec) -> dict[str, str] | None:
    """Return the sha256 of each file of a fit's initial weights; None if there are none.

    Parameters
    ----------
    run : folder of the run, which need not exist yet

    Raises
    ------
    UserError
        The parent was deleted, or has changed since this run was created.
    """
    parent = parent_of(run, settings)
    if parent is None or not can_continue(spec) or parent.spec(spec.name) is None:
        return None
    return parent.weights(spec.name)


def start(run: Path, settings: Mapping[str, Any], spec: ModelSpec) -> Path | None:
    """Return the folder of a fit's initial weights, verified; None if there are none."""
    parent = parent_of(run, settings)
    if parent is None or not can_continue(spec) or parent.spec(spec.name) is None:
        return None
    parent.refuse_damaged(f"models/{spec.name}/")
    return RunPaths(parent.folder).model(spec.name)


def parent_of(run: Path, settings: Mapping[str, Any]) -> Parent | None:
    """Return the parent of a run; None if it has none.

    Raises
    ------
    UserError
        The parent was deleted, or has changed since this run was created.
    """
    run_id = settings.get("warm_start")
    if run_id is None:
        return None
    parent = Parent.open(run.parent, str(run_id))
    recorded = read_provenance(run).get("warm_start", {}).get("seal")
    if recorded not in (None, parent.seal):
        raise UserError(
            f"warm_start: run '{run_id}' is not the one that '{run.name}' was created to continue: "
            "its seal has changed; restore it, or train a new run"
        )
    return parent


def record(runs: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parent's entry in ``provenance.json``; empty without a parent."""
    if settings.get("warm_start") is None:
        return {}
    parent = Parent.open(runs, settings["warm_start"])
    continued = [spec.name for spec in specs(settings) if _continues(parent, spec)]
    return {"warm_start": {"run_id": parent.run_id, "seal": parent.seal, "models": continued}}


def _continues(parent: Parent, spec: ModelSpec) -> bool:
    return can_continue(spec) and parent.spec(spec.name) is not None


def check(runs: Path, settings: dict[str, Any], frame: pd.DataFrame) -> list[str]:
    """Check before training that a new run can continue its parent; return notes.

    Parameters
    ----------
    settings : resolved
    frame : the data of the new run: ``unique_id``, ``ds``, ``y``...

    Raises
    ------
    UserError
        The parent cannot be used, its models differ, or it was trained on values to be scored.
    """
    if settings.get("warm_start") is None:
        return []
    from forerun.forecasting.scaling import Scaling, is_centered  # with numpy and pandas

    parent = Parent.open(runs, settings["warm_start"])
    wanted = specs(settings)
    continued = [spec for spec in wanted if _continues(parent, spec)]
    for spec in wanted:
        if can_continue(spec) and (number := parent.seeds(spec.name)):
            raise UserError(
                f"warm_start: {spec.name} is the mean of {number} seeds in run '{parent.run_id}'; "
                f"set seeds of {spec.name} to {number}, or leave warm_start out"
            )
    if not continued:
        raise UserError(
            f"warm_start: run '{parent.run_id}' has none of the networks of this run; name one of "
            "its networks in models, or leave warm_start out"
        )
    parent.refuse_damaged("data.parquet")
    history = frame[frame["y"].notna()]
    earlier = read_data(RunPaths(parent.folder).data, columns=["unique_id", "ds", "y"])
    earlier = earlier[earlier["y"].notna()]
    wrong = [line for spec in continued for line in _differences(parent, spec, settings)]
    wrong += [
        f"{spec.name} needs the same series"
        for spec in continued
        if spec.info.multivariate and _names(history) != _names(earlier)
    ]
    wrong += [
        f"{spec.name} would see the target on another level"
        for spec in continued
        if Scaling.read(RunPaths(parent.folder).model(spec.name)).centered
        != is_centered(spec, history)
    ]
    if wrong:
        raise UserError(
            f"warm_start: run '{parent.run_id}' cannot be continued: {'; '.join(wrong)}; make them "
            "equal, or leave warm_start out"
        )
    _refuse_seen(parent, settings, history, earlier["ds"].max())
    return _notes(parent, wanted, continued)


def _names(history: pd.DataFrame) -> set[str]:
    return set(history["unique_id"].astype(str).unique())


def _notes(parent: Parent, wanted: list[ModelSpec], continued: list[ModelSpec]) -> list[str]:
    rest = [spec for spec in wanted if spec not in continued and not spec.members]
    notes = [f"weights of run '{parent.run_id}' are continued by {_listed(continued)}"]
    return notes + ([f"trained from scratch: {_listed(rest)}"] if rest else [])


def _listed(found: list[ModelSpec]) -> str:
    return ", ".join(spec.name for spec in found)


def _differences(parent: Parent, spec: ModelSpec, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the differences between run and parent that affect the meaning of weights."""
    before = parent.spec(spec.name)
    assert before is not None
    if (spec.engine, spec.model) != (before.engine, before.model):
        yield f"{spec.name} is {spec.model} here and {before.model} there"
        return
    ours, theirs = _meaning(spec, settings), _meaning(before, parent.settings)
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            yield f"{key} of {spec.name} is {ours.get(key)} here and {theirs.get(key)} there"


def _meaning(spec: ModelSpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings and arguments that affect the meaning of a network's weights."""
    found: dict[str, Any] = {key: settings[key] for key in ("input_size", "scaler_type", "freq")}
    found |= {"horizon": settings["horizon"], "gap": settings["gap"]}
    found |= {"transform": spec.transform} | exogenous_columns(spec, settings)
    if "loss" in spec.params:
        found["levels"] = list(settings["levels"])
    return found | {key: value for key, value in spec.params.items() if key not in OF_TRAINING}


def _refuse_seen(parent: Parent, settings: dict[str, Any], history: pd.DataFrame, end: Any) -> None:
    """Raise an error if the parent was trained on values to be scored in this run.

    The parent's data must end at or before the first cutoff of every series.
    """
    newer = (history["ds"] > end).groupby(history["unique_id"], observed=True).sum()
    fewest, held = int(newer.min()), windows.held_out(settings)
    if held <= fewest:
        return
    reach, step = windows.reach(settings), windows.step_size(settings)
    possible = (fewest - reach) // step + 1 if fewest >= reach else 0
    advice = f"set n_windows to {possible}" if possible else f"wait for {reach - fewest} more steps"
    raise UserError(
        f"warm_start: cross-validation holds out the last {plural(held, 'step')} of each series, "
        f"but the data of run '{parent.run_id}' end at {end}, only {plural(fewest, 'step')} before "
        f"the end of series '{newer.idxmin()}': its weights were trained on values to be scored; "
        f"{advice}, or continue an older run"
    )
