"""Have `trtexec` build an engine of an exported ONNX file, where a machine has the program.

python -m runners.tensorrt --config pipelines/x/exported.tensorrt.json --to "$RECIPE_OUT/result"

The configuration holds the command: {"argv": ["trtexec", "--onnx=model.onnx", …]}. It runs in TO/export; what became of it
stands there in tensorrt.json. Without the program there is no engine, and that is no failure.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from runners import cli
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

FORMAT = 1


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0597 when the program fails."""
    parser = argparse.ArgumentParser(prog="python -m runners.tensorrt", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    command = json.loads(options.config.read_bytes())["argv"]
    folder = options.to / "export"
    found = shutil.which(command[0]) is not None
    if found:
        _build(command, folder)
    skipped = None if found else f"skipped: the program `{command[0]}` is not installed on this machine"
    write_json(folder / "tensorrt.json", {"format_version": FORMAT, "argv": command, "ran": found, "skipped": skipped})
    print(skipped or "an engine was built: it fits this GPU and this version of TensorRT")
    return 0


def _build(command: Sequence[str], folder: Path) -> None:
    print(shlex.join(command), flush=True)
    status = subprocess.run(command, cwd=folder, check=False).returncode
    if status != 0:
        help = "see the log above; the command can be run by hand in the folder of the export"
        raise RecipeError([Diagnostic("R0597", f"`{command[0]}` ended with status {status}", help)])


if __name__ == "__main__":
    cli.run(main)
