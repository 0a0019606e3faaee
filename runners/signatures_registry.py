"""ms-swift's registries: which models it knows, and the names that its plain-text options take.

The models are read from its source with `ast`, which gives each row as it is written:

    register_model(ModelMeta(MLLMModelType.qwen2_vl, [ModelGroup([Model('Qwen/…', 'Qwen/…')], …)], …, template=…))
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MODEL = ("ms_model_id", "hf_model_id")
_GROUP = ("models", "template", "ignore_patterns", "requires", "tags")
_META = ("model_type", "model_groups", "loader", "template", "model_arch", "mcore_model_type", "architectures")
_MULTIMODAL, _REWARD = "MLLMModelType", "RMModelType"


def models(source: Path | None = None) -> tuple[dict[str, dict[str, Any]], list[list[Any]]]:
    """model_type → what all its models share, and a row for each model.

    A row is [Hugging Face id or null, ModelScope id or null, model_type] and, where the model differs from its type, a
    map with its own template or requirements.
    """
    source = source or _swift()
    names = _constants(source / "model" / "constant.py") | _constants(source / "template" / "constant.py")
    kinds: dict[str, dict[str, Any]] = {}
    rows: list[list[Any]] = []
    for path in sorted((source / "model" / "models").glob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8")), "ModelMeta"):
            meta = _arguments(call, _META)
            if not isinstance(meta.get("model_type"), ast.Attribute):
                continue
            name = _value(meta["model_type"], names)
            kinds[name] = _kind(name, meta, names)
            rows += [row for group in _calls(meta["model_groups"], "ModelGroup") for row in _rows(name, group, names)]
    if not rows:
        raise LookupError("no model is registered in ms-swift's source as it was in version 4")
    return kinds, sorted(rows, key=lambda row: (row[2], str(row[0] or row[1]), str(row[1])))


def _swift() -> Path:
    spec = importlib.util.find_spec("swift")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("ms-swift is not installed")
    return Path(spec.origin).parent


def _kind(name: str, meta: dict[str, ast.expr], names: dict[str, dict[str, str]]) -> dict[str, Any]:
    entry = {key: _optional(meta.get(key), names) for key in ("template", "requires", "architectures", "task_type")}
    entry |= {"multimodal": name in names[_MULTIMODAL].values(), "reward": name in names[_REWARD].values()}
    entry["reward"] |= "is_reward" in meta
    return {key: value for key, value in entry.items() if value}


def _rows(name: str, call: ast.Call, names: dict[str, dict[str, str]]) -> Iterator[list[Any]]:
    given = _arguments(call, _GROUP)
    own = {key: _value(given[key], names) for key in ("template", "requires") if key in given}
    for model in _calls(given["models"], "Model"):
        ids = _arguments(model, _MODEL)
        row = [_optional(ids.get(key), names) for key in ("hf_model_id", "ms_model_id")]
        yield [*row, name, own] if own else [*row, name]


def _constants(path: Path) -> dict[str, dict[str, str]]:
    """Class → name → text, inherited ones included, of a module that only lists names."""
    classes: dict[str, dict[str, str]] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            inherited = (classes.get(base.id, {}) for base in node.bases if isinstance(base, ast.Name))
            classes[node.name] = {key: value for base in inherited for key, value in base.items()} | _texts(node)
    return classes


def _texts(node: ast.ClassDef) -> dict[str, str]:
    lines = (line for line in node.body if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant))
    return {line.targets[0].id: line.value.value for line in lines}  # type: ignore[attr-defined]


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return (node for node in found if node.func.id == name)  # type: ignore[attr-defined]


def _arguments(call: ast.Call, names: Iterable[str]) -> dict[str, ast.expr]:
    given = dict(zip(names, call.args, strict=False))
    return given | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def _optional(node: ast.expr | None, names: dict[str, dict[str, str]]) -> Any:
    return None if node is None else _value(node, names)


def _value(node: ast.expr, names: dict[str, dict[str, str]]) -> Any:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
        return names[node.value.id][node.attr]
    if isinstance(node, ast.List):
        return [_value(item, names) for item in node.elts]
    return ast.literal_eval(node)


def vocabularies() -> dict[str, list[str]]:
    """Option of ms-swift → the names that its registries hold. A plugin may add names at run time."""
    from swift.agent_template import agent_template_map
    from swift.arguments.base_args import get_supported_tuners
    from swift.callbacks import callbacks_map
    from swift.loss import loss_map
    from swift.loss_scale.base import ALL_BASE_STRATEGY
    from swift.loss_scale.mapping import loss_scale_map
    from swift.metrics import eval_metrics_map
    from swift.optimizers import optimizers_map
    from swift.rewards import orms
    from swift.template import TEMPLATE_MAPPING
    from transformers.integrations import INTEGRATION_TO_CALLBACK
    from transformers.trainer_utils import IntervalStrategy, SchedulerType

    found: dict[str, Iterable[str]] = {
        "agent_template": agent_template_map,
        "attn_impl": _ATTENTION,
        "callbacks": callbacks_map,
        "eval_metric": eval_metrics_map,
        "eval_strategy": (member.value for member in IntervalStrategy),
        "loss_scale": {*ALL_BASE_STRATEGY, *loss_scale_map},
        "loss_type": loss_map,
        "lr_scheduler_type": (member.value for member in SchedulerType),
        "optimizer": optimizers_map,
        "report_to": {*INTEGRATION_TO_CALLBACK, "swanlab", "all", "none"},
        "reward_funcs": orms,
        "template": TEMPLATE_MAPPING,
        "tuner_type": get_supported_tuners(),
    }
    return {option: sorted(names) for option, names in found.items()}


_ATTENTION = (
    *("eager", "sdpa", "flash_attn", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention"),
)
"""What the help of `--attn_impl` lists; transformers also takes kernels of its hub as `owner/name`."""
