"""The command line: `recipe VERB …`. A verb's module loads when the verb is used, so that starting costs little."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

from schema.exits import Answer

VERBS: dict[str, str] = {
    "validate": "compiler.commands.validate",
    "compile": "compiler.commands.compile",
    "show": "compiler.commands.show",
    "hash": "compiler.commands.hash",
    "diff": "compiler.commands.diff",
    "migrate": "compiler.commands.migrate",
    "plan": "compiler.commands.plan",
    "ls": "compiler.commands.ls",
    "new": "compiler.commands.new",
    "import": "compiler.commands.import_",
    "explain": "compiler.commands.explain",
    "schema": "compiler.commands.schema",
    "lock": "runners.commands.lock",
    "mv": "compiler.commands.mv",
    "setup": "compiler.commands.setup",
    "run": "runners.commands.run",
    "runs": "runners.commands.runs",
    "verify": "runners.commands.verify",
    "card": "runners.commands.card",
    "fetch": "runners.commands.fetch",
    "store": "runners.commands.store",
    "scores": "runners.commands.scores",
    "compare": "runners.commands.compare",
    "doctor": "runners.commands.doctor",
}
"""Verb → the module that has a function of that name, with `_` behind it where Python keeps the word for itself."""

DIRECT: dict[str, str] = {"validate": "compiler.validation", "compile": "compiler.compilation"}
"""Verbs that editors, hooks and CI call again and again → a module with `run(files)`. With nothing but files there are no
options to parse, and an eighth of the time is saved."""

PROGRAMS: dict[str, tuple[str, ...]] = {
    "exec": ("runners.exec",),
    "check": ("compiler.commands.check", "runners.link"),
    "merge-lock": ("compiler.commands.merge_lock",),
}
"""What compiled pipelines and git call, hidden from people: verb → modules with `main(argv)`, one after another while all is
well."""


COMPLETE = "_RECIPE_COMPLETE"
"""The variable by which a shell asks for completion."""
DETAILED = "--detailed-exitcode"
"""The option with which `recipe diff` ends as terraform does: 2 says that there are differences, so that errors are 1."""


def main() -> None:
    """The entry point of `recipe` and of `python -m compiler`."""
    try:
        _main()
    except SystemExit as ended:
        if sys.argv[1:2] == ["diff"] and DETAILED in sys.argv and ended.code == 2 and not isinstance(ended, Answer):
            sys.exit(1)
        raise


def _main() -> None:
    try:
        sys.exit(_run(sys.argv[1:]))
    except BrokenPipeError:
        os._exit(1)  # whoever read our output has gone
    except ModuleNotFoundError as error:
        _not_installed(error)
    except Exception as error:
        _internal(error)


def _run(arguments: list[str]) -> int:
    verb = arguments[0] if arguments else ""
    if verb in PROGRAMS:
        return next((code for module in PROGRAMS[verb] if (code := import_module(module).main(arguments[1:]))), 0)
    _start_fast()
    if verb in DIRECT and not any(argument.startswith("-") for argument in arguments):
        return int(import_module(DIRECT[verb]).run([Path(argument) for argument in arguments[1:]]))
    return _parsed(arguments)


def _start_fast() -> None:
    """A short-lived process: no cyclic garbage to look for, and no plugins of pydantic to look up among packages."""
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _parsed(arguments: list[str]) -> int:
    """Let typer parse the options and call the verb."""
    from typer import Typer  # after the settings above, which its import is to see

    completing = COMPLETE in os.environ
    verbs = _needed(_typed() if completing else arguments)
    app = Typer(
        name="recipe",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=completing or len(verbs) > 1,  # its options belong to `recipe` alone
    )
    app.callback()(recipe)
    for verb in verbs:
        app.command(verb)(_function(verb))
    app(prog_name="recipe")
    return 0


def _needed(arguments: list[str]) -> list[str]:
    """The verbs to load: the one that is called; for help, and while the verb itself is typed, all."""
    return arguments[:1] if arguments and arguments[0] in VERBS else list(VERBS)


def _typed() -> list[str]:
    """What stands in the line of a shell that asks for completion, behind `recipe`, without the word that is typed."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")  # of zsh and fish, or of bash
    words = line.split()
    return words[1 : None if line[-1:].isspace() else -1]


def _function(verb: str) -> Callable[..., None]:
    name = f"{verb}_" if iskeyword(verb) else verb
    function: Callable[..., None] = getattr(import_module(VERBS[verb]), name)
    return function


def recipe() -> None:
    """Compile reviewable fine-tuning recipes into launches and DVC stages."""


def _not_installed(error: ModuleNotFoundError) -> None:
    """The light installation can compile; what runs recipes needs more."""
    package = (error.name or "").partition(".")[0]
    if package in ("schema", "compiler", "runners"):
        _internal(error)
    print(f"recipe: `{package}` is not installed here, and this verb needs it", file=sys.stderr)
    print("Install what runs recipes: `make setup`, or `pip install recipe-compiler[engines]`.", file=sys.stderr)
    sys.exit(2)


def _internal(error: Exception) -> None:
    """The program itself is at fault: say so without a traceback, unless one is asked for."""
    if "RECIPE_TRACEBACK" in os.environ:
        raise error
    print(f"recipe: internal error: {type(error).__name__}: {error}", file=sys.stderr)
    print("This is a fault of the program. RECIPE_TRACEBACK=1 shows where.", file=sys.stderr)
    sys.exit(2)
