"""What the engines' own parsers say of command lines: `python real_parsers.py QUESTIONS ANSWERS`, both JSON.

A question is [engine, command, argv]; its answer is [accepted, values or error]. Beside the answers stand the models of
ms-swift's registry, as an import gives them.
"""

import argparse
import json
import sys
from pathlib import Path

from runners.signatures import ENGINES
from runners.signatures_parsers import parsers
from schema.toolchain import DEFAULT


class Refused(Exception):
    """The parser's error message."""


def refuse(message):
    raise Refused(message)


def answer(parser, argv):
    """Whether a parser takes a command line, and the values that it reads."""
    try:
        values, rest = parser.parse_known_args(argv)
    except (Refused, argparse.ArgumentError) as error:
        return [False, str(error)]
    except SystemExit:
        return [False, "printed something and ended"]
    if rest:
        return [False, f"left over: {rest}"]
    return [True, {name: value if is_plain(value) else str(value) for name, value in vars(values).items()}]


def is_plain(value):
    return value is None or isinstance(value, (str, int, float, bool, list))


def models():
    """A row for each model: ids on both hubs, model_type, template, requirements, whether it sees."""
    from swift.model import MODEL_MAPPING

    for name, meta in MODEL_MAPPING.items():
        for group in meta.model_groups:
            requires = meta.requires if group.requires is None else group.requires
            shared = [name, group.template or meta.template, requires or [], meta.is_multimodal]
            yield from ([model.hf_model_id, model.ms_model_id, *shared] for model in group.models)


def main(questions, answers):
    known = {name: found.parser for name, found in parsers(ENGINES[DEFAULT]).items()}
    for parser in known.values():
        parser.error = refuse
        parser.print_help = lambda *_: None
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    told = [answer(known[engine, command], argv) for engine, command, argv in asked]
    result = {"answers": told, "models": list(models())}
    Path(answers).write_text(json.dumps(result, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
