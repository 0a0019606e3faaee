"""What accelerate and TRL make of command lines: `python real_trl.py QUESTIONS ANSWERS`, both JSON.

A question is [arguments of accelerate launch, arguments of the program], asked where the paths of the command line lead
somewhere. Its answer is an error, or what accelerate will do: the arguments as its own checks leave them.
"""

import json
import sys
from pathlib import Path
from unittest import mock


def answer(ours, theirs):
    """The launcher's arguments, or what either says against them, as if all of its processes were there."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from transformers import TrainingArguments

    from runners import trl_arguments

    try:
        launch, _, _ = _validate_launch_command(launch_command_parser().parse_args(ours))
        command = ours[-1].removeprefix("runners.trl_")
        parser = trl_arguments.parser(getattr(trl_arguments, f"{command}_sources")())
        with mock.patch.object(TrainingArguments, "world_size", launch.num_processes):
            parser.parse_args_and_config([*theirs, "--use_cpu", "true"])
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {name: value for name, value in vars(launch).items() if isinstance(value, (str, int, float, bool))}


def main(questions, answers):
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    Path(answers).write_text(json.dumps([answer(*question) for question in asked]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
