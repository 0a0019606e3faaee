"""Build ms-swift's own arguments from command lines: `python real_arguments.py QUESTIONS ANSWERS`, both JSON.

A question is [command, argv], to be asked in a folder where the paths of the command line lead somewhere; its answer is
[accepted, error]. Each is built in a process of its own, forked from the one that imported the engine: building
arguments makes folders and changes the environment. Models are not loaded and need no weights.
"""

import json
import os
import sys
from pathlib import Path

from runners.signatures_parsers import swift_arguments


def build(classes, command, argv):
    """What ms-swift says of a command line; empty when it takes it."""
    from swift.utils import parse_args

    on_cpu = ["--use_cpu", "true"] if command in ("sft", "rlhf") else []
    try:
        _, rest = parse_args(classes[command], [*argv, *on_cpu])
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return f"left over: {rest}" if rest else ""


def forked(classes, command, argv, told):
    """`build` in a child; its answer goes through the file `told`."""
    child = os.fork()
    if child == 0:
        told.write_text(json.dumps(build(classes, command, argv)), encoding="utf-8")
        os._exit(0)
    os.waitpid(child, 0)
    return json.loads(told.read_text(encoding="utf-8"))


def main(questions, answers):
    classes = swift_arguments()
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    errors = [forked(classes, command, argv, Path(answers)) for command, argv in asked]
    Path(answers).write_text(json.dumps([[not error, error] for error in errors]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
