"""The family of small recipes behind tests/vectors: each changes one thing, or a few, of a recipe that compiles.

A name is FILE/CASE; a recipe is text, as a person would write it. Another recipe only adds vectors: those that are
recorded keep the text they were recorded with.
"""

import itertools
import json

from schema.lock import LockedFile, digest_of

LOCK = "\n# vector.lock\n"
"""What stands between a recipe and its lock."""
TEXT = {"id": "Qwen/Qwen2.5-0.5B-Instruct"}
VISION = {"id": "Qwen/Qwen2-VL-2B-Instruct"}
TINY = {"id": "tiny/qwen2-vl", "dtype": "float32"}
CHAT = {"kind": "jsonl", "path": "data/chat.jsonl", "split": {"validation": 0.1}}
DATA = {"kind": "prepare", "dataset": "rows"}
TRAIN = {"kind": "sft", "model": "base", "data": "data.train"}
ANSWERS = {"kind": "predict", "model": "train", "data": "data.validation"}
CLASSIFY = {"kind": "classify", "model": "base", "data": "data.train", "classes": 10}
DIGITS = {"kind": "digits", "split": {"validation": 0.2}}


def recipe(train=None, *, model=TEXT, rows=CHAT, data=None, stages=None, **sections):
    """A recipe with one training stage, unless `stages` says otherwise."""
    stages = {"train": TRAIN | (train or {})} if stages is None else stages
    document = {"version": 1, "name": "vector", "models": {"base": model}, "datasets": {"rows": rows}}
    return document | sections | {"stages": {"data": DATA | (data or {}), **stages}}


def text(document):
    """One line for each section, and for each stage."""
    lines = []
    for name, value in document.items():
        if name == "stages":
            lines += ["stages:", *(f"  {stage}: {flow(fields)}" for stage, fields in value.items())]
        else:
            lines.append(f"{name}: {flow(value)}")
    return "\n".join(lines) + "\n"


def flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    plain = isinstance(value, str) and value and all(c.isalnum() or c in "_-./ " for c in value)
    words = ("true", "false", "null", "yes", "no", "on", "off", "end")
    return value if plain and not value[0].isdigit() and value not in words else json.dumps(value, ensure_ascii=False)


def _models():
    for size in ("0.5B", "1.5B", "3B", "7B", "14B", "32B", "72B"):
        yield f"qwen2.5-{size}", recipe(model={"id": f"Qwen/Qwen2.5-{size}-Instruct"})
    for size in ("2B", "7B", "72B"):
        yield f"qwen2-vl-{size}", recipe(model={"id": f"Qwen/Qwen2-VL-{size}-Instruct"})
    for dtype, attention in itertools.product(
        ("bfloat16", "float16", "float32"), ("auto", "eager", "sdpa", "flash_attention_2")
    ):
        yield f"{dtype}-{attention}", recipe(model=TEXT | {"dtype": dtype, "attention": attention})
    yield "revision", recipe(model=TEXT | {"revision": "v1.0"})
    yield "huggingface", recipe(model=TEXT | {"hub": "huggingface"})
    yield "path", recipe(model=TEXT | {"path": "models/qwen"})
    yield "type", recipe(model={"id": "someone/else", "type": "qwen2_5_vl", "template": "qwen2_5_vl"})
    yield "tiny", recipe(model=TINY, hardware={"gpus": 0})
    yield "tiny-2.5", recipe(model={"id": "tiny/qwen2.5-vl", "dtype": "float32"}, hardware={"gpus": 0})
    yield "pixels", recipe(model=VISION | {"max_pixels": 200704, "min_pixels": 3136})


def _tuners():
    for rank, alpha in itertools.product((1, 4, 8, 16, 64), (8, 32, 128)):
        yield f"lora-{rank}-{alpha}", recipe({"tuner": {"kind": "lora", "rank": rank, "alpha": alpha}})
    lora = {
        "dropout-0": {"dropout": 0},
        "dropout-0.1": {"dropout": 0.1},
        "targets": {"target_modules": ["q_proj", "k_proj", "v_proj"]},
        "saved": {"modules_to_save": ["embed_tokens", "lm_head"]},
        "bias": {"bias": "all"},
        "rslora": {"rank_stabilized": True},
        "dora": {"dora": True},
        "bnb-4": {"bits": 4, "quantization": "bnb"},
        "bnb-8": {"bits": 8, "quantization": "bnb"},
        "hqq-4": {"bits": 4, "quantization": "hqq"},
    }
    lora |= {f"init-{init}": {"init": init} for init in ("gaussian", "pissa", "olora")}
    for name, fields in lora.items():
        yield name, recipe({"tuner": {"kind": "lora", **fields}})
    yield "full", recipe({"tuner": {"kind": "full"}})
    for parts in itertools.product((True, False), repeat=3):
        freeze = dict(zip(("vision", "aligner", "language"), parts, strict=True))
        name = "".join("fu"[not part] for part in parts)
        if not all(parts):
            yield f"full-{name}", recipe({"tuner": {"kind": "full", "freeze": freeze}}, model=VISION)
            yield f"lora-{name}", recipe({"tuner": {"kind": "lora", "freeze": freeze}}, model=VISION)


def _hardware():
    for gpus, nodes in itertools.product((0, 1, 2, 4, 8), (1, 2)):
        if gpus or nodes == 1:
            yield f"{nodes}x{gpus}", recipe(hardware={"nodes": nodes, "gpus": gpus})
    for threads in (1, 16):
        yield f"threads-{threads}", recipe(hardware={"threads": threads})
    yield "named", recipe(hardware={"gpu": "A100", "gpu_memory": "80GiB"})
    for zero, gpus in itertools.product(
        ("zero0", "zero1", "zero2", "zero3", "zero1-offload", "zero2-offload", "zero3-offload"), (1, 8)
    ):
        yield f"{zero}-{gpus}", recipe({"deepspeed": zero}, hardware={"gpus": gpus})
    yield "zero3-full-2x8", recipe({"deepspeed": "zero3", "tuner": {"kind": "full"}}, hardware={"nodes": 2, "gpus": 8})
    for global_batch, micro, gpus in ((8, 1, 1), (8, 8, 1), (64, 4, 4), (64, 2, 8), (96, 3, 4), (1, 1, 1)):
        batch = {"global": global_batch, "micro": micro}
        yield f"batch-{global_batch}-{micro}-{gpus}", recipe({"batch": batch}, hardware={"gpus": gpus})


def _training():
    optimizer = [{"learning_rate": rate} for rate in (1e-3, 0.0001, 2e-5, 1e-6)]
    optimizer += [{"schedule": name} for name in ("linear", "constant", "constant_with_warmup", "polynomial")]
    optimizer += [{"warmup_ratio": 0}, {"warmup_ratio": 0.1}, {"warmup_steps": 0}, {"warmup_steps": 100}]
    optimizer += [{"weight_decay": 0}, {"betas": [0.9, 0.999]}, {"epsilon": 1e-6}, {"max_grad_norm": 0.5}]
    optimizer += [{"name": "adamw_torch"}, {"name": "adafactor"}, {"name": "sgd"}]
    optimizer += [{"vision_learning_rate": 1e-6, "aligner_learning_rate": 1e-5}]
    for number, fields in enumerate(optimizer):
        yield f"optimizer-{number}-{'-'.join(fields)}", recipe({"optimizer": fields})
    fields = [{"epochs": 3}, {"epochs": 0.5}, {"max_steps": 100}, {"max_length": 512}, {"max_length": 32768}]
    fields += [{"too_long": "left"}, {"too_long": "right"}, {"precision": "float16"}, {"precision": "float32"}]
    fields += [{"gradient_checkpointing": False}]
    for number, field in enumerate(fields):
        yield f"field-{number}-{'-'.join(field)}", recipe(field)
    yield "packing", recipe({"packing": True}, model=TEXT | {"attention": "flash_attention_2"})
    for seed in (0, 1, 42, 4294967295):
        yield f"seed-{seed}", recipe(seed=seed)
    evaluated = {"evaluation": {"data": "data.validation"}}
    for every in ("epoch", "100 steps", "7 steps"):
        yield f"evaluate-{every.replace(' ', '-')}", recipe({"evaluation": evaluated["evaluation"] | {"every": every}})
    yield "evaluate-micro", recipe({"evaluation": evaluated["evaluation"] | {"micro_batch": 8}})
    for every in ("100 steps", "end"):
        yield f"checkpoints-{every.replace(' ', '-')}", recipe({"checkpoints": {"every": every}})
    yield "keep", recipe({"checkpoints": {"keep": 5}})
    yield "best", recipe(evaluated | {"checkpoints": {"select": "best"}})
    accuracy = {"select": "best", "metric": "eval_token_acc", "higher_is_better": True}
    yield "best-accuracy", recipe(evaluated | {"checkpoints": accuracy})
    yield "early", recipe(evaluated | {"early_stopping": {"patience": 3}})
    for every, trackers in itertools.product(("1 steps", "epoch"), ([], ["wandb", "swanlab"])):
        logging = {"every": every, "trackers": trackers, "project": "told"}
        yield f"logging-{every[0]}-{len(trackers)}", recipe({"logging": logging})


def _engine():
    arguments = [
        {"neftune_noise_alpha": 5},
        {"lora-dtype": "bfloat16"},
        {"tf32": True},
        {"system": "Be brief. Ünïcode 猫"},
    ]
    arguments += [
        {"new_special_tokens": ["<a b>", "<c>"]},
        {"response_prefix": "it's\nso"},
        {"system": "-- $HOME `id`"},
    ]
    arguments += [{"lr_scheduler_kwargs": {"num_cycles": 0.5, "list": [1, "2", None]}}]
    arguments += [{"neftune_noise_alpha": 5.0, "tf32": False}]
    for number, args in enumerate(arguments):
        yield f"sft-{number}", recipe({"engine": {"args": args}})
    for number, args in enumerate([{"stop_words": ["\n\n", "END"]}, {"top_logprobs": 3}, {"system": "-x"}]):
        answers = ANSWERS | {"model": "base", "engine": {"args": args}}
        yield f"infer-{number}", recipe(stages={"answers": answers})


def _data():
    table = {"columns": {"prompt": "question", "answer": "reply"}, "split": {"validation": 0.1}}
    image = {"kind": "image-folder", "path": "data/animals", "prompt": "Which?", "split": {"validation": 0.2}}
    kinds = {
        "jsonl": CHAT,
        "jsonl-columns": {"kind": "jsonl", "path": "data/chat.jsonl", **table},
        "csv": {"kind": "csv", "path": "data/faq.csv", **table},
        "parquet": {"kind": "parquet", "path": "data/faq.parquet", **table},
        "hub": {"kind": "hub", "id": "AI-ModelScope/alpaca-gpt4-data-zh", **table},
        "hub-files": {"kind": "hub", "id": "AI-ModelScope/alpaca-gpt4-data-zh", "revision": "v1", "files": ["a.jsonl"]},
        "hub-huggingface": {"kind": "hub", "id": "tatsu-lab/alpaca", "hub": "huggingface", **table},
        "external": {"kind": "jsonl", "path": "/data/chat.jsonl", "external": True},
        "image-folder": image,
        "digits": DIGITS,
        "digits-size": DIGITS | {"size": 56},
        "shapes": {"kind": "shapes", "classes": ["red", "blue"], "per_class": 8, "size": 64},
        "shapes-names": {"kind": "shapes", "classes": ["Straße", "İstanbul", "猫"], "per_class": 2},
        "prompt": CHAT | {"prompt": "Say it.", "system": "You know."},
        "unicode": CHAT | {"path": "data/été/猫.jsonl"},
        "bad": CHAT | {"on_bad": "skip"},
    }
    for name, rows in kinds.items():
        yield name, recipe(rows=rows)
    for number, split in enumerate(
        [{"validation": 0.5}, {"test": 0.1}, {"validation": 0.1, "test": 0.2}, {"validation": 0.1, "stratify": False}]
    ):
        yield f"split-{number}", recipe(rows=CHAT | {"split": split})
    both = {"rows": CHAT, "faq": {"kind": "csv", "path": "data/faq.csv", **table}}
    mixtures = {
        "weights": [{"data": "data.train", "weight": 3}, {"data": "more.train", "weight": 1}],
        "weights-small": [{"data": "data.train", "weight": 0.1}, {"data": "more.train", "weight": 0.2}],
        "counts": [{"data": "data.train", "count": 2000}, {"data": "more.train", "count": 500}],
        "plain": [{"data": "data.train"}, {"data": "more.train"}],
        "reversed": [{"data": "more.train"}, {"data": "data.train"}],
        "twice": [{"data": "data.train"}, {"data": "data.train", "count": 10}],
    }
    for name, sources in mixtures.items():
        more = {"more": {"kind": "prepare", "dataset": "faq"}, "train": TRAIN | {"data": sources}}
        yield f"sources-{name}", recipe(stages=more) | {"datasets": both}


def _stages():
    cpu = {"hardware": {"gpus": 0, "threads": 1}}
    classify = {"model": TINY, "rows": DIGITS, "data": {"task": "classify"}} | cpu
    merged = {"train": TRAIN, "merged": {"kind": "merge", "adapter": "train"}, "answers": ANSWERS | {"model": "merged"}}
    scores = {"kind": "evaluate", "predictions": "answers"}
    full = TRAIN | {"tuner": {"kind": "full"}}
    yield "merge", recipe(stages=merged)
    yield "scores", recipe(stages={**merged, "scores": scores}, rows=DIGITS, model=VISION)
    yield "adapter-answers", recipe(stages={"train": TRAIN, "answers": ANSWERS})
    yield "full-answers", recipe(stages={"train": full, "answers": ANSWERS})
    yield "base-answers", recipe(stages={"answers": ANSWERS | {"model": "base"}})
    yield "answers-on-8", recipe(stages={"answers": ANSWERS | {"model": "base"}}, hardware={"gpus": 8})
    yield "two-trainings", recipe(stages={"first": full, "second": full | {"model": "first", "epochs": 2}})
    yield "written-downstream-first", recipe(stages={"b": full | {"model": "a"}, "a": full})
    for metrics in (["accuracy"], ["f1", "precision"], ["recall", "accuracy"]):
        stages = {"answers": ANSWERS | {"model": "base"}, "scores": scores | {"metrics": metrics}}
        yield f"metrics-{'-'.join(metrics)}", recipe(stages=stages, rows=DIGITS, model=VISION)
    for number, fields in enumerate(
        [{"batch": 7}, {"max_new_tokens": 8}, {"temperature": 0.7, "top_p": 0.9}, {"parse": "exact"}, {"parse": "none"}]
    ):
        yield f"answers-{number}", recipe(stages={"answers": ANSWERS | {"model": "base"} | fields})
    yield "classify", recipe(stages={"train": CLASSIFY, "answers": ANSWERS, "scores": scores}, **classify)
    yield "classify-full", recipe(stages={"train": CLASSIFY | {"tuner": {"kind": "full"}}}, **classify)
    together = {"train": CLASSIFY, "merged": merged["merged"], "answers": merged["answers"]}
    yield "classify-merged", recipe(stages=together, **classify)
    changes = {
        "small": {"models": {"base": {"id": "Qwen/Qwen2.5-1.5B-Instruct"}}},
        "long": {"stages": {"train": {"epochs": 3}}},
        "fast": {"stages": {"train": {"optimizer": {"learning_rate": 1e-3}}}},
        "wide": {"hardware": {"gpus": 8}},
    }
    yield "variants", recipe(variants=changes)
    yield "axes", recipe(variants=changes, axes={"what": ["small", "wide"], "how": ["long", "fast"]})


def _products():
    """What can change a launch together: size, tuner, ZeRO stage and processes."""
    models = {"text": TEXT, "vision": VISION}
    qlora = {"kind": "lora", "bits": 4, "quantization": "bnb"}
    tuners = {"lora": {"kind": "lora"}, "qlora": qlora, "full": {"kind": "full"}}
    for model, tuner, zero, gpus in itertools.product(models, tuners, (None, "zero2", "zero3"), (1, 8)):
        deepspeed = {"deepspeed": zero} if zero else {}
        if not (tuner == "qlora" and zero == "zero3"):
            fields = {"tuner": tuners[tuner], **deepspeed}
            yield (
                f"{model}-{tuner}-{zero or 'ddp'}-{gpus}",
                recipe(fields, model=models[model], hardware={"gpus": gpus}),
            )


def _locked():
    """Recipes with a lock, which stands below them: what is pinned counts, and where it comes from does not."""
    sft = recipe()
    sources = {"modelscope": ("master", "a" * 40), "huggingface": ("main", "b" * 40)}
    for number in range(3):
        yield f"model-{number}", locked(sft, models={TEXT["id"]: asset(number)})
    yield "model-sources", locked(sft, models={TEXT["id"]: asset(0, **sources)})
    yield "model-files", locked(sft, models={TEXT["id"]: asset(0, ("config.json", "model.safetensors"))})
    for number in range(3):
        yield f"data-{number}", locked(sft, local={"data/chat.jsonl": local(number)})
    yield "data-tree", locked(sft, local={"data/chat.jsonl": local(0, "tree")})
    both = {"models": {TEXT["id"]: asset(0)}, "local": {"data/chat.jsonl": local(0)}}
    yield "both", locked(sft, **both)
    yield "both-toolchain", locked(sft, **both, toolchain={"torch": "2.10"})
    yield "something-else", locked(sft, models={"someone/else": asset(0)})
    revision = recipe(model=TEXT | {"revision": "v1.0"})
    yield "revision", locked(revision, models={f"{TEXT['id']}@v1.0": asset(0)})
    yield "revision-not-locked", locked(revision, models={TEXT["id"]: asset(0)})
    yield "path", locked(recipe(model=TEXT | {"path": "models/qwen"}), local={"models/qwen": local(4, "tree")})
    tiny = recipe(model=TINY, hardware={"gpus": 0})
    yield "tiny", locked(tiny, built={"tiny/qwen2-vl": {"code": "1" * 64}})
    yield "tiny-stale", locked(tiny, built={"tiny/qwen2-vl": {"code": "2" * 64}})
    columns = {"prompt": "instruction", "answer": "output"}
    hub = {"kind": "hub", "id": "AI-ModelScope/alpaca-gpt4-data-zh", "columns": columns}
    yield "hub", locked(recipe(rows=hub), datasets={hub["id"]: asset(5, ("train.jsonl",))})
    asked = recipe(rows=CHAT | {"prompt_file": "prompts/ask.txt"})
    yield "prompt", asked
    yield "prompt-locked", locked(asked, local={"prompts/ask.txt": local(6)})
    merged = {"train": TRAIN, "merged": {"kind": "merge", "adapter": "train"}, "answers": ANSWERS | {"model": "merged"}}
    yield "merged", locked(recipe(stages=merged), **both)


def locked(document, **sections):
    """A recipe and its lock as one text."""
    return text(document) + LOCK + text({"version": 1, "revision": 1} | sections)


def asset(number, paths=("config.json",), **sources):
    """A model or data set whose files have made-up digests."""
    files = {path: {"size": 1, "sha256": f"{number:x}{at:x}" * 32} for at, path in enumerate(paths)}
    sources = sources or {"modelscope": ("master", "c" * 40)}
    return {
        "sha256": digest_of({path: LockedFile(**file) for path, file in files.items()}),
        "sources": {h: {"repo": "a/b", "requested": r, "commit": c} for h, (r, c) in sources.items()},
        "files": files,
    }


def local(number, kind="file"):
    return {"kind": kind, "files": 1, "size": 1, "sha256": f"{number:x}" * 64}


FAMILIES = {
    "models": _models,
    "tuners": _tuners,
    "hardware": _hardware,
    "training": _training,
    "engine": _engine,
    "data": _data,
    "stages": _stages,
    "products": _products,
    "locked": _locked,
}


def recipes():
    """Family → case → text."""
    return {
        family: {case: found if isinstance(found, str) else text(found) for case, found in cases()}
        for family, cases in FAMILIES.items()
    }
