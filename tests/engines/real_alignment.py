"""Run several programs of ours in one process that has loaded TRL once: `python real_alignment.py JOBS TOLD`, both JSON.

A job: {"module": "runners.trl_dpo", "argv": […], "env": {…}}. What is told of each: its exit code and what it printed.
Each runs in a process of its own, forked from the one that has only loaded the libraries.
"""

import contextlib
import importlib
import json
import os
import sys
import traceback
from pathlib import Path


def run(job, log):
    """Fork, and run the job in the child; the exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    with log.open("w") as output, contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            os.environ.update(job["env"])
            Path(job["env"]["RECIPE_OUT"]).mkdir(parents=True, exist_ok=True)
            code = importlib.import_module(job["module"]).main(job["argv"])
        except SystemExit as ended:
            print(ended.code)
        except BaseException:
            traceback.print_exc(file=output)
    os._exit(code)


def main(jobs, told):
    from trl import DPOTrainer, GRPOTrainer, SFTTrainer  # noqa: F401

    answers = []
    for number, job in enumerate(json.loads(Path(jobs).read_text(encoding="utf-8"))):
        log = Path(told).with_name(f"job-{number}.log")
        answers.append({"code": run(job, log), "printed": log.read_text(encoding="utf-8")})
    Path(told).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
