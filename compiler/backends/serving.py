"""Servers: `swift deploy` and `vllm serve`, asked once in a pipeline, or in the foreground for those who use them."""

from __future__ import annotations

import json

from compiler.backends.fields import without_nulls
from compiler.backends.ms_swift_training import ENGINE, environment, identity_of
from compiler.plan import Command, InputPath, Launch, Output, OutputPath, Plan, ResolvedModel, StagePlan, Value
from schema.signature import toolchain
from schema.stages import Deploy

ASK = ("python", "-m", "runners.ask")
SERVE = "serve"
LOOPBACK = "127.0.0.1"
DEPLOY_DEFAULTS: dict[str, Value] = {
    "use_chat_template": True,
    "template_backend": "swift",
    "truncation_strategy": "delete",
    "merge_lora": False,
    "verbose": False,
    "log_interval": -1,
    "use_hf": False,
    "load_args": False,
}


def deploy(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """A runner that starts the server, asks it and stops it; and the server alone as a script of its own."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, Deploy) and model is not None
    server = (_swift if stage.server == "ms-swift" else _vllm)(plan, planned, stage, model, {})
    place: dict[str, Value] = {"host": LOOPBACK, "port": stage.port}
    alone = (_swift if stage.server == "ms-swift" else _vllm)(plan, planned, stage, model, place)
    asked: dict[str, Value] = {
        "data": InputPath("data", planned.input("data").path),
        "max_new_tokens": stage.max_new_tokens,
        "start_timeout": stage.start_timeout,
        "to": OutputPath("result"),
        "start": server.program[0],  # the last one: what follows is the server's command
    }
    command = Command(
        server.program, server.options, server.signature, server.passed,
        fields=server.fields, launcher=Command(ASK, asked), positional=server.positional,
    )  # fmt: skip
    env = environment(plan, planned, model)
    launch = Launch((command,), env, runners=("runners.ask",), beside={SERVE: (alone,)})
    return launch, (Output("reply.json"),)


def _swift(plan: Plan, planned: StagePlan, stage: Deploy, model: ResolvedModel, place: dict[str, Value]) -> Command:
    recipe = plan.instance.recipe
    limits: dict[str, Value | None] = {"max_batch_size": stage.max_concurrent}
    if stage.on_vllm:
        tokens = stage.max_batched_tokens
        limits = {
            "vllm_max_num_seqs": stage.max_concurrent,
            "vllm_max_model_len": stage.max_model_length,
            "vllm_gpu_memory_utilization": stage.gpu_memory,
            "vllm_tensor_parallel_size": stage.tensor_parallel,
            "vllm_engine_kwargs": json.dumps({"max_num_batched_tokens": tokens}) if tokens else None,
        }
    options: dict[str, Value | None] = {
        "model": InputPath("model", planned.input("model").path),
        **identity_of(model, recipe.classifier(stage.model)),
        "torch_dtype": model.spec.dtype,
        "attn_impl": None if stage.on_vllm else model.attention,
        "infer_backend": stage.backend,
        **limits,
        "max_length": stage.max_model_length,
        "served_model_name": recipe.name,
        "seed": recipe.seed,
        **DEPLOY_DEFAULTS,
        **place,
    }
    fields = {"infer_backend": ("backend",), "max_batch_size": ("max_concurrent",), "port": ("port",)}
    return Command(("swift", "deploy"), without_nulls(options), (ENGINE, "deploy"), stage.engine.args, fields=fields)


def _vllm(plan: Plan, planned: StagePlan, stage: Deploy, model: ResolvedModel, place: dict[str, Value]) -> Command:
    """Where the toolchain does not hold vLLM, these options are checked against no signature, and there are no others."""
    recipe = plan.instance.recipe
    recorded = ("vllm", "serve") if "vllm" in toolchain(recipe.toolchain_of(planned.name)) else None
    options: dict[str, Value | None] = {
        "served-model-name": recipe.name,
        "dtype": model.spec.dtype,
        "max-num-seqs": stage.max_concurrent,
        "max-num-batched-tokens": stage.max_batched_tokens,
        "max-model-len": stage.max_model_length,
        "gpu-memory-utilization": stage.gpu_memory,
        "tensor-parallel-size": stage.tensor_parallel,
        "seed": recipe.seed,
        **place,
    }
    path = InputPath("model", planned.input("model").path)
    fields = {"max_num_seqs": ("max_concurrent",), "max_model_len": ("max_model_length",), "port": ("port",)}
    fields |= {"max_num_batched_tokens": ("max_batched_tokens",), "tensor_parallel_size": ("tensor_parallel",)}
    fields |= {"gpu_memory_utilization": ("gpu_memory",)}
    return Command(
        ("vllm", "serve"), without_nulls(options), recorded, stage.engine.args, fields=fields, positional=(path,)
    )
