"""From the description of a reward to the function that judges a batch of answers."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError, Span

Function = Callable[..., Any]
BATCH = "completions"
"""The first parameter of a function that judges all answers at once, as engines call theirs."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A reward, ready to judge answers."""

    name: str
    function: Function
    parameters: Mapping[str, Any]
    at_once: bool = False
    """Whether the function takes all answers at once."""
    find_problem: Callable[[str], str | None] | None = None

    def problem(self, solution: str) -> str | None:
        """What makes a solution useless for this reward."""
        return self.find_problem(solution) if self.find_problem else None

    def __call__(self, completions: Sequence[Any], columns: Mapping[str, Sequence[Any]]) -> list[float]:
        """What each answer is worth. Errors: ValueError when that is no number, and what the function raises."""
        answers = [_text(completion) for completion in completions]
        if self.at_once:
            given = {name: values for name, values in columns.items() if name not in self.parameters}
            worth = list(self.function(answers, **given, **self.parameters))
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
    first = next(iter(inspect.signature(function).parameters), "")
    found = Scores(name, function, parameters, at_once=first == BATCH)
    _fits(found, file)
    return found


def _module(file: Path) -> ModuleType:
    """A Python file as a module. Errors: RecipeError R0550 it cannot be loaded, R0554 it does not stand alone."""
    place = Span(str(file), 1, 1, 1, 2)
    try:
        source = file.read_text("utf-8")
        beside = list(_neighbours(ast.parse(source), file))
        if beside:
            raise RecipeError(beside)
        spec = importlib.util.spec_from_file_location(f"_reward_{file.stem}", file)
        assert spec is not None and spec.loader is not None  # of a file that ends in .py
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except RecipeError:
        raise
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        place = Span(str(file), line, column, line, column + 1)
        raise RecipeError(
            [Diagnostic("R0550", f"line {line} of {file} is no Python: {error.msg}", "mend it", (place,))]
        ) from error
    except Exception as error:  # whatever the project's own code raises
        message = f"{file} cannot be loaded: {type(error).__name__}: {error}"
        raise RecipeError([Diagnostic("R0550", message, "mend it", (place,))]) from error
    return module


def _neighbours(tree: ast.Module, file: Path) -> Iterator[Diagnostic]:
    """R0554: imports of other files of the project, whose bytes nothing counts; all relative ones are."""
    for node in ast.walk(tree):
        for name in _imported(node):
            head = name.partition(".")[0]
            if not head or any(_is_module(folder / head) for folder in (Path(), file.parent)):
                line = getattr(node, "lineno", 1)
                message = (
                    f"line {line} of {file} imports `{name}`, a file of the project whose bytes no stage key counts"
                )
                help = "copy what it needs into the file"
                yield Diagnostic("R0554", message, help, (Span(str(file), line, 1, line, 2),))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


def _is_module(place: Path) -> bool:
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _function(module: ModuleType, file: Path, name: str) -> Function:
    function = getattr(module, name, None)
    if not callable(function):
        written = [
            n for n, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        listed = ", ".join(f"`{n}`" for n in written) or "none"
        message = f"{file} has no function `{name}`"
        raise RecipeError([Diagnostic("R0551", message, f"its functions: {listed}", (Span(str(file), 1, 1, 1, 2),))])
    return function  # type: ignore[no-any-return]


def _fits(found: Scores, file: Path) -> None:
    """The function takes what it will be called with. Errors: RecipeError R0551."""
    signature = inspect.signature(found.function)
    arguments = ([],) if found.at_once else ("", "")
    try:
        if found.at_once:
            signature.bind_partial(*arguments, **found.parameters)
        else:
            signature.bind(*arguments, **found.parameters)
    except TypeError as error:
        form = f"{found.function.__name__}(answer, solution, {', '.join(found.parameters)})".replace(", )", ")")
        message = f"`{found.name}` of {file} cannot be called as `{form}`: {error}"
        place = Span(str(file), 1, 1, 1, 2)
        raise RecipeError(
            [Diagnostic("R0551", message, "change the function or its `parameters`", (place,))]
        ) from error
