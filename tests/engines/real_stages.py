"""Commands of compiled stages, one after another in forks of one import of ms-swift: `python real_stages.py JOBS`.

JOBS is JSON: [{"argv": ["swift", "sft", "--model", …], "env": {"INFONCE_TEMPERATURE": "0.1"}}, …]. Ends with the first
command that fails, and its code. `["ask", MODEL, TEXTS, FILE]` has the engine itself embed texts, a JSON list.
A job with "code": 1 is one that has to fail so.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

from schema.diagnostics import RecipeError
from schema.render import text

ENTRIES = {"sft": "sft_main", "export": "export_main", "infer": "infer_main"}

IMPORTED = {
    "swift.pipelines": tuple(ENTRIES.values()),
    "swift.infer_engine": ("TransformersEngine",),
    "swift.trainers": ("TrainerFactory", "Trainer"),
}


def run(argv):
    """A command of the engine, or one of our runners."""
    if argv[0] == "ask":
        return ask(*argv[1:])
    if argv[0] == "swift":
        getattr(importlib.import_module("swift.pipelines"), ENTRIES[argv[1]])(argv[2:])
        return 0
    try:
        return importlib.import_module(argv[2]).main(argv[3:])
    except RecipeError as error:
        print(text(error.diagnostics, sources={}), file=sys.stderr)
        return 1


def ask(model, texts, to):
    """Write the engine's own embeddings of texts."""
    import torch
    from swift.infer_engine import InferRequest, TransformersEngine

    named = {"model_type": "qwen2_vl", "template_type": "qwen2_vl", "task_type": "embedding"}
    engine = TransformersEngine(model, torch_dtype=torch.float32, attn_impl="sdpa", max_batch_size=3, **named)
    asked = [InferRequest(messages=[{"role": "user", "content": text}]) for text in json.loads(texts)]
    found = [answer.data[0].embedding for answer in engine.infer(asked)]
    Path(to).write_text(json.dumps(found), encoding="utf-8")
    return 0


def forked(job):
    """The exit code of a command in a process of its own: the parent never computes, so a fork of it can."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ.update(job["env"])
            code = run(job["argv"])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(jobs):
    for module, names in IMPORTED.items():
        for name in names:
            getattr(
                importlib.import_module(module), name
            )  # modules of ms-swift load their parts when they are asked for
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        if (code := forked(job)) != job.get("code", 0):
            print("failed:", *job["argv"], file=sys.stderr)
            return code or 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
