"""Networks that are trained with several seeds: the members of a model, and their mean.

``seeds: 3`` replaces the network ``NHITS`` by the models ``NHITS_seed1`` to ``NHITS_seed3``, each
trained like any other, and the model ``NHITS``, the mean of their forecasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.config import schema

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Argument of networks with the seed.
SEED = "random_seed"
#: Largest seed that the networks' library takes.
LARGEST_SEED = 2**32 - 1
#: Maximum number of seeds.
MOST = 100


def members(name: str, number: int) -> list[str]:
    """Return the names of the members of a model."""
    return [f"{name}_seed{place + 1}" for place in range(number)]


def expanded(spec: ModelSpec, item: Any, settings: Mapping[str, Any]) -> list[ModelSpec]:
    """Return the members of a network with several seeds and their mean; other models alone.

    Parameters
    ----------
    item : the item of ``models``, which may have ``seeds``
    """
    own = item.get("seeds") if isinstance(item, Mapping) else None
    if own is not None and (type(own) is not int or not 1 <= own <= MOST):
        raise UserError(f"seeds of {spec.name} is {own!r}; it must be an integer from 1 to {MOST}")
    able = can_average(spec)
    if own is not None and own > 1 and not able:
        raise UserError(f"seeds of {spec.name} is {own}, but only networks are trained with seeds")
    if own == 1 and settings["seeds"] > 1:
        return [replace(spec, members=[])]  # so that the frozen item is not expanded
    number = own or settings["seeds"]
    if number == 1 or not able:
        return [spec]
    first = spec.params.get(SEED, settings["seed"])
    if type(first) is not int or not 0 <= first <= LARGEST_SEED - number + 1:
        raise UserError(
            f"the first of {number} seeds of {spec.name} is {schema.show(first)}; it must be an "
            f"integer from 0 to {LARGEST_SEED - number + 1}"
        )
    each = [
        replace(spec, name=name, params={**spec.params, SEED: first + place}, member_of=spec.name)
        for place, name in enumerate(members(spec.name, number))
    ]
    return [*each, replace(spec, members=[one.name for one in each])]


def can_average(spec: ModelSpec) -> bool:
    """Return whether a model is trained with several seeds.

    Automatic models and those of a search choose a network, pretrained ones have one.
    """
    return spec.is_network and not (spec.is_pretrained or spec.info.auto or spec.search)


def note(spec: ModelSpec) -> str | None:
    """Return the note of the leaderboard on a mean or a member; None for other models."""
    if spec.members:
        return f"mean of {len(spec.members)} seeds"
    return f"one seed of {spec.member_of}" if spec.member_of else None


def collapsed(items: Sequence[Any]) -> list[Any]:
    """Return items of ``models`` with ``seeds`` in place of members, which are added again.

    Raises
    ------
    UserError
        An item has ``members`` that are not in `items`, or is a member of no other item.
    """
    mappings = [item for item in items if isinstance(item, Mapping)]
    named = {str(item.get("name")): item.get("member_of") for item in mappings}
    means = {str(item.get("name")): item["members"] for item in mappings if "members" in item}
    for item in mappings:
        name, mean = item.get("name"), item.get("member_of")
        siblings = means.get(str(mean))
        if "member_of" in item and not (isinstance(siblings, list) and name in siblings):
            raise UserError(f"models: member_of of {name} is not for a configuration; use seeds")
        parts = item.get("members", [])
        if not isinstance(parts, list) or any(named.get(str(one)) != name for one in parts):
            raise UserError(f"models: members of {name} is not for a configuration; use seeds")
    found = []
    for item in items:
        if not isinstance(item, Mapping) or not {"members", "member_of"} & item.keys():
            found.append(item)
        elif "members" in item:
            rest = {key: value for key, value in item.items() if key != "members"}
            found.append({**rest, "seeds": max(1, len(item["members"]))})
    return found
