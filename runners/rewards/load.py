"""From the description of a reward to the function that judges a batch of answers."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from schema import own_code
from schema.diagnostics import Diagnostic, RecipeError, Span

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Scores:
    """A reward, ready to judge answers."""

    name: str
    function: Function
    parameters: Mapping[str, Any]
    at_once: bool = False
    """Whether the function takes all answers at once."""
    reads: frozenset[str] | None = None
    """The columns that such a function names; all of them where it takes any (`**columns`)."""
    find_problem: Callable[[str], str | None] | None = None

    def problem(self, solution: str) -> str | None:
        """What makes a solution useless for this reward."""
        return self.find_problem(solution) if self.find_problem else None

    def __call__(self, completions: Sequence[Any], columns: Mapping[str, Sequence[Any]]) -> list[float]:
        """What each answer is worth. Errors: ValueError when that is no number, and what the function raises."""
        answers = [_text(completion) for completion in completions]
        if self.at_once:
            read = columns if self.reads is None else {n: columns[n] for n in self.reads if n in columns}
            worth = list(self.function(answers, **{**read, **self.parameters}))
        else:
            pairs = zip(answers, columns["solution"], strict=True)
            worth = [self.function(answer, solution, **self.parameters) for answer, solution in pairs]
        if len(worth) != len(answers):
            raise ValueError(f"the reward `{self.name}` gave {len(worth)} numbers for {len(answers)} answers")
        return [self._number(value) for value in worth]

    def _number(self, value: Any) -> float:
        if isinstance(value, str) or value is None or not math.isfinite(float(value)):
            raise ValueError(f"the reward `{self.name}` gave {value!r}, which is no number")
        return float(value)


def _text(completion: Any) -> str:
    """An answer as text; some engines hand over a list of messages."""
    return str(completion if isinstance(completion, str) else completion[-1]["content"])


def scores(described: Mapping[str, Any], files: Sequence[str]) -> Scores:
    """The reward that a configuration describes. Errors: RecipeError when there is no such function."""
    name, parameters = described["name"], described["parameters"]
    if "kind" in described:
        module = importlib.import_module(f"runners.rewards.{described['kind'].replace('-', '_')}")
        return Scores(name, module.reward, parameters, find_problem=getattr(module, "problem", None))
    file = Path(files[described["file"]])
    function = _function(_module(file), file, described["function"])
    signature = inspect.signature(function)
    if said := own_code.misfit(signature, name, parameters):
        place = Span(str(file), 1, 1, 1, 2)
        raise RecipeError([Diagnostic("R0551", f"{file}: {said}", "change the function or its `parameters`", (place,))])
    return Scores(name, function, parameters, own_code.at_once(signature), own_code.columns(signature))


def _module(file: Path) -> ModuleType:
    """A Python file as a module. Errors: RecipeError R0550 it cannot be loaded, R0554 it does not stand alone."""
    place = Span(str(file), 1, 1, 1, 2)
    try:
        tree = own_code.parse(file.read_bytes(), str(file))
        if beside := list(own_code.neighbours(tree, str(file), (Path(), file.parent))):
            raise RecipeError(beside)
        spec = importlib.util.spec_from_file_location(f"_reward_{file.stem}", file)
        assert spec is not None and spec.loader is not None  # of a file that ends in .py
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except RecipeError:
        raise
    except Exception as error:  # whatever the project's own code raises
        message = f"{file} cannot be loaded: {type(error).__name__}: {error}"
        raise RecipeError([Diagnostic("R0550", message, "mend it", (place,))]) from error
    return module


def _function(module: ModuleType, file: Path, name: str) -> Function:
    function = getattr(module, name, None)
    if not callable(function):
        own = [
            n for n, given in vars(module).items() if inspect.isfunction(given) and given.__module__ == module.__name__
        ]
        raise RecipeError([own_code.no_function(str(file), name, own)])
    return function  # type: ignore[no-any-return]
