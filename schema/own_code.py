"""A Python file of the project and what its functions take, known without running it.

>>> tree = parse(b"def polite(answer, solution, word='please'): ...", "rewards/own.py")
>>> list(unfit(tree, "rewards/own.py", "polit", {}))[0].help
'write `function: polite`'
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.suggest import nearest

BATCH = "completions"
"""The first parameter of a reward that judges all answers at once, as engines call theirs."""
FORM = "function: {}"
DYNAMIC = frozenset({"__dict__", "__getattr__", "eval", "exec", "globals", "locals", "modules", "setattr", "vars"})
"""Names in a file that may give it functions which nobody wrote down."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(content: bytes, file: str) -> ast.Module:
    """The syntax of a file. Errors: RecipeError R0550 it is no Python."""
    try:
        return ast.parse(content)
    except SyntaxError as error:
        line, column = error.lineno or 1, max(error.offset or 1, 1)
        place = Span(file, line, column, line, column + 1)
        message = f"line {line} of {file} is no Python: {error.msg}"
        raise RecipeError([Diagnostic("R0550", message, "mend it", (place,))]) from error
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or nested too deep
        message = f"{file} is no Python: {error}"
        raise RecipeError([Diagnostic("R0550", message, "mend it", (Span(file, 1, 1, 1, 2),))]) from error


def neighbours(tree: ast.Module, file: str, folders: Iterable[Path]) -> Iterator[Diagnostic]:
    """R0554: imports of other files of the project, whose bytes nothing counts; all relative ones are.

    Args:
        folders: Where Python would find such files: the project's root, and the folder of the file.
    """
    places = tuple(folders)
    for node in ast.walk(tree):
        for name in _imported(node):
            head = name.partition(".")[0]
            if not head or any(_is_module(folder / head) for folder in places):
                line = getattr(node, "lineno", 1)
                message = (
                    f"line {line} of {file} imports `{name}`, a file of the project whose bytes no stage key counts"
                )
                help = "copy what it needs into the file"
                yield Diagnostic("R0554", message, help, (Span(file, line, 1, line, 2),))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


def _is_module(place: Path) -> bool:
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def unfit(
    tree: ast.Module, file: str, name: str, parameters: Mapping[str, Any], form: str = FORM
) -> Iterator[Diagnostic]:
    """R0551: the file has no such reward, or one that cannot be called so; nothing where only running it can tell.

    Args:
        form: How a recipe names a function; it stands at the `{}`.
    """
    written = list(_top_level(tree))
    bound = [node for node in written if name in _bound(node)]
    if not bound:
        if any(_may_add(node) for node in ast.walk(tree)):
            return
        functions = [node.name for node in written if isinstance(node, Function)]
        yield no_function(file, name, functions, form)
        return
    function = bound[0]
    if len(bound) > 1 or not isinstance(function, Function) or function.decorator_list:
        return
    if said := misfit(signature(function.args), name, parameters):
        line, column = function.lineno, function.col_offset + 1
        place = Span(file, line, column, line, column + len("def"))
        yield Diagnostic("R0551", f"{file}: {said}", "change the function or its `parameters`", (place,))


def no_function(file: str, name: str, functions: Iterable[str], form: str = FORM) -> Diagnostic:
    """R0551: a file has other functions than the one that is asked for."""
    known = list(functions)
    meant = known[0] if len(known) == 1 else nearest(name, known)
    listed = ", ".join(f"`{function}`" for function in known) or "none"
    help = f"write `{form.format(meant)}`" if meant else f"its functions: {listed}"
    return Diagnostic("R0551", f"{file} has no function `{name}`", help, (Span(file, 1, 1, 1, 2),))


def at_once(given: Signature) -> bool:
    """Whether a reward judges all answers at once."""
    return next(iter(given.parameters), "") == BATCH


def columns(given: Signature) -> frozenset[str] | None:
    """The columns of rows that a reward of all answers names; None where it takes all (`**columns`)."""
    if any(one.kind is Parameter.VAR_KEYWORD for one in given.parameters.values()):
        return None
    return frozenset(given.parameters) - {BATCH}


def misfit(given: Signature, name: str, parameters: Mapping[str, Any]) -> str | None:
    """Why a function cannot be called as a reward is: with one answer and its solution, or with all answers at once."""
    batch = at_once(given)
    try:
        if batch:
            given.bind_partial([], **parameters)
        else:
            given.bind("", "", **parameters)
    except TypeError as error:
        first = (BATCH,) if batch else ("answer", "solution")
        return f"`{name}` cannot be called as `{name}({', '.join((*first, *parameters))})`: {error}"
    return None


def signature(written: ast.arguments) -> Signature:
    """What a function takes, as `inspect.signature` would tell.

    >>> str(signature(ast.parse("lambda a, /, b=1, *c, d, **e: 0", mode="eval").body.args))
    '(a, /, b=None, *c, d, **e)'
    """
    positional = [*written.posonlyargs, *written.args]
    required = len(positional) - len(written.defaults)
    found = [
        Parameter(
            one.arg,
            Parameter.POSITIONAL_ONLY if number < len(written.posonlyargs) else Parameter.POSITIONAL_OR_KEYWORD,
            default=Parameter.empty if number < required else None,
        )
        for number, one in enumerate(positional)
    ]
    if written.vararg:
        found.append(Parameter(written.vararg.arg, Parameter.VAR_POSITIONAL))
    for one, default in zip(written.kwonlyargs, written.kw_defaults, strict=True):
        found.append(Parameter(one.arg, Parameter.KEYWORD_ONLY, default=Parameter.empty if default is None else None))
    if written.kwarg:
        found.append(Parameter(written.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(found)


def _top_level(node: ast.AST) -> Iterator[ast.AST]:
    """What a file does when it is loaded, without the inside of its functions and classes."""
    for child in ast.iter_child_nodes(node):
        yield child
        if isinstance(child, Function | ast.Lambda | ast.ClassDef):
            yield from (inner for inner in ast.walk(child) if isinstance(inner, ast.Global))
        else:
            yield from _top_level(child)


def _bound(node: ast.AST) -> tuple[str, ...]:
    """The names that a piece of syntax gives a value."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return (node.name,)
        case ast.Import() | ast.ImportFrom():
            return tuple(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        case ast.Name(ctx=ast.Store() | ast.Del()):
            return (node.id,)
        case ast.Global():
            return tuple(node.names)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return (name,)
        case ast.MatchMapping(rest=str(name)):
            return (name,)
    return ()


def _may_add(node: ast.AST) -> bool:
    """Whether it may give the file names that stand nowhere in it."""
    match node:
        case ast.ImportFrom():
            return any(alias.name == "*" for alias in node.names)
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name):
            return name in DYNAMIC
    return False
