"""Rewards on their way to an engine: a configuration, and a command that makes the engine's plugin of it.

The command runs before the engine starts: it loads every reward and tries it on the data, so that a mistake costs
seconds. The configuration holds neither weights, which are options of the engine, nor the places of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from compiler.plan import Command, FilePath, InputPath, Json, OutputPath, Plan, StagePlan, Value
from schema.rewards import SETTINGS, Reward
from schema.stage import FileUse

MODULE = "runners.rewards.plugin"
PLUGIN = OutputPath("reward_plugin.py")


def names(rewards: Sequence[Reward]) -> tuple[str, ...]:
    """What the engine calls each reward: its kind or function, and a number where that is taken."""
    seen: Counter[str] = Counter()
    found = []
    for reward in rewards:
        name = reward.function_of[1] if reward.function_of else reward.kind
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return tuple(found)


def config(rewards: Sequence[Reward], files: Sequence[FileUse]) -> Json:
    """Each reward with its parameters; one of the project's own by the number of its file."""
    places = [use.file for use in files]
    return {"rewards": [_described(*named, places) for named in zip(rewards, names(rewards), strict=True)]}


def _described(reward: Reward, name: str, places: Sequence[str]) -> Json:
    if reward.function_of is None:
        parameters = reward.model_dump(mode="json", exclude=set(SETTINGS), exclude_none=True)
        return {"name": name, "kind": reward.kind, "parameters": parameters}
    file, function = reward.function_of
    parameters = getattr(reward, "parameters", {})
    return {"name": name, "file": places.index(file), "function": function, "parameters": parameters}


def plugin(plan: Plan, planned: StagePlan, files: Sequence[FileUse]) -> Command:
    """The command that checks the rewards and writes the plugin."""
    options: dict[str, Value] = {
        "config": FilePath("rewards", f"{plan.pipeline}/{planned.name}.rewards.json"),
        "data": tuple(InputPath(given.role, given.path) for given in planned.inputs_like("data")),
        "to": PLUGIN,
    }
    if files:
        options["files"] = tuple(InputPath(use.role, use.file) for use in files)
    return Command(("python", "-m", MODULE), options)


def modules(rewards: Sequence[Reward]) -> Iterator[str]:
    """Our own modules that take part, whose source counts."""
    yield MODULE
    for reward in rewards:
        if reward.function_of is None:
            yield f"runners.rewards.{reward.kind.replace('-', '_')}"
