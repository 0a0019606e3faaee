"""Helpers: what scripts of `import/` become, and where each of their options is afterwards."""

import contextlib
import shlex
from dataclasses import replace
from pathlib import Path

from compiler.importing import Imported, import_text
from compiler.render.script import words
from schema.signature import for_program, load
from schema.signature.commandline import check_argv, read_argv

CASES = sorted(path for path in (Path(__file__).parent / "import").iterdir() if path.is_dir())


def source_of(case):
    return next(path for path in (case / "run.sh", case / "config.yaml", case / "job.json") if path.is_file())


def imported(root, text, name="imported", file="run.sh"):
    """What a text becomes, in a project's folder."""
    with contextlib.chdir(root):
        return import_text(text, Path(file), name)


def accounted(found, given):
    """How many options are compiled with the same value; all others must be listed by their place."""
    assert isinstance(found, Imported)
    command = next(command for command in found.plan.stage("train").launch.commands if command.signature)
    command = replace(command, watch={}, launcher=None)  # those options are ours
    signature = load(*command.signature)
    argv = shlex.split(
        " ".join(words(command)).replace('${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}', "")
    )
    _, arguments = for_program(argv)
    assert [p for p in check_argv(signature, arguments) if p.severity == "error"] == []
    compiled = read_argv(signature, arguments)
    same = 0
    for name, texts in given:
        expected = read_argv(signature, [*spelled(signature.options[name], texts)])[name]
        if compiled.get(name) == expected:
            same += 1
        else:
            assert [item for item in found.left if item.option == name], (name, texts)
    return same


def spelled(option, texts):
    return [f"{option.flag}={texts[0]}"] if len(texts) == 1 and texts[0].startswith("-") else [option.flag, *texts]
