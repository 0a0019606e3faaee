"""From what people run today to a recipe: shell scripts, launchers' configurations, TRL's YAML. Nothing is executed.

words     characters → words, with places and quotes; `grammar` says where a command or a loop ends
script    words → commands, with the values of variables; `pieces` are what those leave of a word
calls     commands → what becomes a stage, options by the engine's names
trainers  the same of trainers on transformers and of TRL; `launchers` are what starts them, `trl` what TRL's options mean
stages    calls → a draft of the recipe; `fields` says which option is which field
settle    the draft against the language and the compiler until both agree
compare   what is compiled against what was given: the rest is listed as `left`
write     the draft → a recipe's text
"""

from __future__ import annotations

from pathlib import Path

from compiler.importing import distillation
from compiler.importing.call import Calls, Engine
from compiler.importing.calls import from_script, from_yaml
from compiler.importing.files import mapping
from compiler.importing.left import Left
from compiler.importing.script import read_script
from compiler.importing.settle import Imported, settle
from compiler.importing.trainers import distilled
from schema.diagnostics import Diagnostic, RecipeError, Span

__all__ = ["Engine", "Imported", "Left", "import_text"]


def import_text(text: str, file: Path, name: str, engine: Engine = "trl") -> Imported | tuple[Left, ...]:
    """What a script or a trainer's YAML becomes; only what is left where nothing can become a stage.

    Args:
        engine: What trains in the recipe what a trainer on transformers was started for: TRL, as in the input, or ms-swift.

    Errors: RecipeError R0730 the file is a recipe already; what is wrong with the text of a YAML file.
    """
    description = f"Imported from {file.name}."
    documents = {".yaml": _yaml, ".yml": _yaml, ".json": _json}
    calls = documents.get(file.suffix.lower(), _script)(text, file, engine)
    return settle(calls, name, description, file.parent)


def _script(text: str, file: Path, engine: Engine) -> Calls:
    return from_script(read_script(text, str(file)), file.parent, engine)


def _json(text: str, file: Path, engine: Engine) -> Calls:
    """What a training service posts; any other JSON is read as a trainer's configuration, as YAML is."""
    given = distillation.from_json(text, str(file))
    if not distillation.distils(iter(given)):
        return _yaml(text, file, engine)
    calls = Calls()
    distilled(calls, file.name, given, {}, Span(str(file), 1, 1, 1, 1), "")
    return calls


def _yaml(text: str, file: Path, engine: Engine) -> Calls:
    given = list(mapping(text, str(file)))
    if {"version", "stages"} <= {option.written for option in given}:
        place = Span(str(file), 1, 1, 1, 1)
        raise RecipeError([Diagnostic("R0730", f"`{file}` is a recipe already", "use it as it is", (place,))])
    return from_yaml(given, Span(str(file), 1, 1, 1, 1), engine)
