"""GRPO and DPO: rewards, references, rollouts, and the defaults that engines have for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import Any

from compiler.backends import ms_swift_rlhf, trl_rlhf
from compiler.importing import trl
from compiler.importing.call import Call
from compiler.importing.draft import Draft, Path, number, plain
from compiler.importing.files import find_file, read_json
from compiler.importing.left import Given, Left
from compiler.importing.options import is_on
from schema.checks_rl import DOTTED
from schema.signature import load
from schema.stage import Stage
from schema.stages import Dpo, Grpo

BY_OPTION: dict[str, dict[str, Path]] = {
    "grpo": {**ms_swift_rlhf.GRPO, **ms_swift_rlhf.VLLM},
    "dpo": {**ms_swift_rlhf.DPO, "rpo_alpha": ("sft_weight",)},
}
"""Kind of a stage → option of ms-swift → field."""
SPECIAL = frozenset(
    {
        *("reward_funcs", "reward_weights", "external_plugins", "ref_adapters", "ref_model", "rlhf_type", "loss_type"),
        *("use_vllm", "vllm_server_host", "vllm_server_port", "top_k"),
    }
)
"""What a reader of its own looks at."""
STAGES: dict[str, type[Stage]] = {"grpo": Grpo, "dpo": Dpo}
TASKS = {"grpo": "solve", "dpo": "prefer"}
"""Kind of a stage → what its rows are prepared for."""
REWARDS: dict[str, dict[str, Any]] = {
    "format": {"kind": "format", "pattern": "<think>.*?</think>\\s*<answer>.*?</answer>"},
    "think_format_reward": {"kind": "format", "pattern": "<think>(?!.*<think>).*?</think>.*"},
}
"""Reward of ms-swift or TRL → the same here."""
STAND_IN = {"kind": "exact"}
"""What stands where a reward has no counterpart."""
SHARED = {"learning_rate": ("optimizer", "learning_rate")}
"""Options of every training whose default in TRL is another for alignment."""


def read(draft: Draft, call: Call, stage: str, given: Mapping[str, Given], folder: File) -> None:
    """The fields that only stages of alignment have and no table says."""
    path = ("stages", stage)
    loss = given.get("loss_type")
    if call.engine == "trl" and call.stage == "dpo":
        trl.preference(draft, stage, given)
    elif loss is not None and len(loss.values) == 1:
        draft.put((*path, "loss_type"), loss.value, loss)
    elif loss is not None:
        draft.refused[(*path, "engine", "args", "loss_weights")] = "a stage has one loss, and it weighs several"
    if call.stage == "grpo":
        _rewards(draft, call, stage, given, folder)
        _sampling(draft, path, given)
        if call.engine == "trl":
            trl.rollout(draft, stage, given)


def defaults(draft: Draft, call: Call, stage: str) -> None:
    """What the engine does where nothing is said, as far as a recipe would do something else."""
    path = ("stages", stage)
    if call.trainer and call.engine != "trl":
        _defaults_of_trl(draft, call.stage, path)
    elif call.stage == "grpo" and call.engine != "trl":
        draft.put((*path, "too_long"), "left", default=True)  # ms-swift cuts questions unless it is told not to


def _sampling(draft: Draft, path: Path, given: Mapping[str, Given]) -> None:
    top, how, vllm = given.get("top_k"), given.get("truncation_strategy"), given.get("use_vllm")
    if top is not None and isinstance(number(top.value), int) and number(top.value) > 1:
        draft.put((*path, "top_k"), number(top.value), top)
    if how is not None and how.value in ("delete", "left"):
        draft.put((*path, "too_long"), "replace" if how.value == "delete" else "left", how)
    if vllm is not None and is_on(vllm.values):
        draft.put((*path, "rollout", "engine"), "vllm", vllm)
    for name in ("host", "port"):
        server = given.get(f"vllm_server_{name}")
        if server is not None and len(server.values) == 1:  # a recipe has one server
            draft.put((*path, "rollout", name), number(server.value), server)


def _rewards(draft: Draft, call: Call, stage: str, given: Mapping[str, Given], folder: File) -> None:
    """Each reward by its own name, or a stand-in that is told."""
    named, weights, plugins = (given.get(name) for name in ("reward_funcs", "reward_weights", "external_plugins"))
    names = named.values if named is not None and not named.odd else ()
    described = _described(given, folder)
    if not names and not described:
        reason = "it names no reward: `{kind: exact}` stands in the recipe for you to replace"
        draft.left.append(named.left(reason) if named else Left("R0732", call.place, call.raw, reason))
    rewards = described or [_reward(draft, name, named) for name in names if named is not None] or [dict(STAND_IN)]
    several = [number(text) for text in weights.values] if weights is not None and not weights.odd else []
    if len(several) == len(rewards) and all(map(_weighs, several)):
        rewards = [reward | {"weight": weight} for reward, weight in zip(rewards, several, strict=True)]
    draft.put(("stages", stage, "rewards"), rewards)  # no stage is without: nothing takes them back
    if plugins is not None and not plugins.odd:
        reason = "what it registers is not read: write each of its rewards as `{kind: file, file: …, function: …}`"
        draft.left.append(plugins.left(reason))


def _described(given: Mapping[str, Given], folder: File) -> list[dict[str, Any]]:
    """The rewards of a compiled stage, from the file that describes them; none where it cannot be read."""
    named, files = given.get(trl.REWARDS), given.get("reward_files")
    file = find_file(named.value, folder) if named is not None and not named.odd else None
    read = read_json(file) if file is not None else None
    entries = read.get("rewards") if isinstance(read, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return []
    return [_of_file(entry, files.values if files is not None else ()) for entry in entries]


def _of_file(entry: Mapping[str, Any], files: Sequence[str]) -> dict[str, Any]:
    parameters = entry.get("parameters")
    if "function" not in entry:
        return {"kind": entry.get("kind"), **(parameters if isinstance(parameters, dict) else {})}
    place = entry.get("file")
    file = files[place] if isinstance(place, int) and 0 <= place < len(files) else ""
    said = {"kind": "file", "file": file, "function": entry["function"]}
    return said | ({"parameters": parameters} if parameters else {})


def _weighs(weight: Any) -> bool:
    value = plain(weight)
    return isinstance(value, int | float) and value > 0


def _reward(draft: Draft, name: str, named: Given) -> dict[str, Any]:
    if name in REWARDS:
        return dict(REWARDS[name])
    module = name.rpartition(".")[0].replace(".", "/")
    if DOTTED.fullmatch(name) and File(f"{module}.py").is_file():
        return {"kind": "path", "path": name}
    reason = f"the reward `{name}` has no counterpart: `{{kind: exact}}` stands in the recipe for you to replace"
    draft.left.append(named.left(reason))
    return dict(STAND_IN)


def _defaults_of_trl(draft: Draft, kind: str, path: Path) -> None:
    """TRL's own defaults of alignment, which are others than the recipe's."""
    recorded = load("trl", kind).options
    table = {**(trl_rlhf.GRPO if kind == "grpo" else trl_rlhf.DPO), "loss_type": ("loss_type",), **SHARED}
    for option, field in table.items():
        default = recorded[option].default
        alignment = recorded[option].owner.startswith("trl.") or option in SHARED
        value = default[0] if isinstance(default, list) and default else default
        if alignment and value not in (None, []) and value != STAGES[kind].model_fields[str(field[0])].default:
            draft.put((*path, *field), number(repr(value)) if isinstance(value, float) else value, default=True)


def reference(draft: Draft, stage: str, given: Mapping[str, Given], adapted: bool) -> None:
    """What an adapter of the stage before means: without `adapters`, another one starts beside it."""
    goes_on, compared, beta = (given.get(name) for name in ("adapters", "ref_adapters", "beta"))
    if adapted and goes_on is None and compared is not None:
        draft.put(("stages", stage, "adapter"), "new", compared)
    if goes_on is not None and compared is None and not (beta is not None and number(beta.value) == 0):
        reason = "without `--ref_adapters` the reference is the model below it; in a recipe it is the adapter as it was"
        draft.left.append(goes_on.left(reason))
