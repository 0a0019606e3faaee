"""ms-swift's registry of models: what an id on a hub is to the engine.

["Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-2B-Instruct", "qwen2_vl"]   is a row of ms-swift-4.6.0/registry.json
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from schema.signature.problem import Problem
from schema.signature.recorded import FOLDER, folder_of, packages, toolchain
from schema.toolchain import DEFAULT


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that ms-swift knows."""

    huggingface: str | None
    modelscope: str | None
    model_type: str
    template: str | None
    """None where the engine cannot tell and has to be told."""
    multimodal: bool
    requires: tuple[str, ...] = ()
    """Packages with version limits. The engine only warns."""
    architectures: tuple[str, ...] = ()
    task_type: str | None = None
    """None is a causal language model."""
    reward: bool = False

    @property
    def id(self) -> str:
        """Its id on Hugging Face, else on ModelScope."""
        return self.huggingface or self.modelscope or ""


UNSAID = {"minicpmv2_6": ("transformers<5",)}
"""Model type → limits of a model's own code that the engine does not state. That of MiniCPM-V 2.6 was written for
transformers 4.40, and others report that it fails with 5.
"""


@cache
def _registry() -> dict[str, Any]:
    path = folder_of("ms-swift") / "registry.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@cache
def _by_name() -> dict[str, list[int]]:
    """Last segment of an id in lower case → the rows that have it."""
    names: dict[str, list[int]] = {}
    for place, row in enumerate(_registry()["models"]):
        for name in {last_segment(model_id) for model_id in row[:2] if model_id}:
            names.setdefault(name, []).append(place)
    return names


def last_segment(model_id: str) -> str:
    """What the engine compares: the part behind the owner, in lower case.

    >>> last_segment("Qwen/Qwen2-VL-2B-Instruct")
    'qwen2-vl-2b-instruct'
    """
    return model_id.rstrip("/").rsplit("/", 1)[-1].lower()


def find_model(model_id: str) -> list[ModelEntry]:
    """The models of that name on either hub, whoever owns it: the engine does not compare the owner.

    More than one means that the engine decides by the architecture in the model's config.
    """
    return [_entry(_registry()["models"][place]) for place in _by_name().get(last_segment(model_id), ())]


def _entry(row: list[Any]) -> ModelEntry:
    huggingface, modelscope, model_type = row[:3]
    entry = _registry()["model_types"][model_type] | (row[3] if len(row) > 3 else {})
    return ModelEntry(
        huggingface,
        modelscope,
        model_type,
        entry.get("template"),
        entry.get("multimodal", False),
        tuple(entry.get("requires", ())),
        tuple(entry.get("architectures", ())),
        entry.get("task_type"),
        entry.get("reward", False),
    )


def known_model_types() -> frozenset[str]:
    """What `model_type` may be."""
    return frozenset(_registry()["model_types"])


def known_templates() -> frozenset[str]:
    """What `template` may be."""
    return vocabulary("template")


@cache
def vocabulary(option: str) -> frozenset[str]:
    """The registered names that an option of ms-swift takes; empty where it takes any text."""
    if option == "model_type":
        return known_model_types()
    return frozenset(_registry()["vocabularies"].get(option, ()))


def near_models(model_id: str, count: int = 3) -> list[str]:
    """Registered ids whose names look most like one, best first."""
    from difflib import get_close_matches  # only when something is wrong

    names = get_close_matches(last_segment(model_id), list(_by_name()), count, 0.6)
    return [_entry(_registry()["models"][_by_name()[name][0]]).id for name in names]


@cache
def _traps() -> list[dict[str, Any]]:
    data = json.loads((FOLDER / "name-traps.json").read_text(encoding="utf-8"))
    traps: list[dict[str, Any]] = data["traps"]
    return traps


def meant_by(model_id: str) -> list[str]:
    """The models that a name may mean which no model has.

    >>> meant_by("Qwen2.5-VL 8B")
    ['Qwen/Qwen2.5-VL-7B-Instruct', 'Qwen/Qwen3-VL-8B-Instruct']
    """
    trap = None if find_model(model_id) else _trap(model_id)
    return list(trap["probably"]) if trap else []


def _trap(model_id: str) -> dict[str, Any] | None:
    name = re.sub(r"[ _]+", "-", last_segment(model_id).strip())
    names = {name, name.removesuffix("-instruct")}
    for trap in _traps():
        if names & {last_segment(written) for written in trap["written"]}:
            return trap
    return None


def model_problem(model_id: str, multimodal: bool = False) -> Problem | None:
    """What is wrong with a model's id, or None: it does not exist, is not registered, cannot see, or is too old.

    Arguments:
        multimodal: the model will be given pictures.
    """
    found, trap = find_model(model_id), _trap(model_id)
    if not found and trap:
        return Problem("unknown", model_id, f"`{model_id}` does not exist: {trap['because']}", _probably(trap))
    if not found:
        near = near_models(model_id)
        message = f"ms-swift {_version()} does not know `{model_id}`"
        help = "give its `type` and `template`" + (f", or did you mean {_listed(near)}?" if near else "")
        return Problem("vocabulary", model_id, message, help)
    if multimodal and not any(entry.multimodal for entry in found):
        message = f"`{model_id}` reads text only (`{found[0].model_type}`)"
        return Problem("rule", model_id, message, _probably(trap) if trap else "name a vision-language model")
    unmet = unmet_requirements(found[0])
    if unmet:
        has = ", ".join(f"{name} {version}" for name, version in packages(*unmet).items())
        message = f"`{model_id}` asks for {', '.join(unmet.values())}, and the toolchain has {has}"
        return Problem("trap", model_id, message, "choose a newer model; the engine only warns and may fail later")
    return None


def unmet_requirements(entry: ModelEntry, within: str = DEFAULT) -> dict[str, str]:
    """Package → requirement of a model that a toolchain does not meet; packages outside the toolchain are not judged.

    >>> unmet_requirements(find_model("baichuan-inc/Baichuan-13B-Chat")[0])
    {'transformers': 'transformers<4.34'}
    """
    unmet = {}
    for requirement in (*entry.requires, *UNSAID.get(entry.model_type, ())):
        name, *limits = re.split(r"(?=[<>=!])|,", requirement.replace(" ", ""), maxsplit=1)
        version = toolchain(within).get(name.replace("_", "-").lower())
        if version and not all(_meets(version, limit) for limit in ",".join(limits).split(",") if limit):
            unmet[name.replace("_", "-").lower()] = requirement
    return unmet


_COMPARE = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


def _meets(version: str, limit: str) -> bool:
    """Whether a release meets one limit such as `<4.42` or `==4.46.*`."""
    sign, bound = re.fullmatch(r"([<>=!]+)(.*)", limit).groups()  # type: ignore[union-attr]
    release, wanted = _numbers(version), _numbers(bound)
    if bound.endswith("*"):
        release = release[: len(wanted)]
    width = max(len(release), len(wanted))
    padded = [(*numbers, *(0,) * (width - len(numbers))) for numbers in (release, wanted)]
    return bool(_COMPARE[sign](*padded))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[a-z+]", version)[0]))


def _version() -> str:
    return folder_of("ms-swift").name.removeprefix("ms-swift-")


def _probably(trap: dict[str, Any]) -> str:
    return f"probably {_listed(trap['probably'])}"


def _listed(ids: list[str]) -> str:
    return " or ".join(f"`{model_id}`" for model_id in ids)
