"""What the engines accept, as recorded from their own parsers, and checks against it that import no engine.

>>> sft = load("ms-swift", "sft")
>>> resolve(sft, "learning-rate", "1e-4")
0.0001
>>> check_options(sft, [("learning_rte", 1e-4)])[0].help
'did you mean `learning_rate`? The recipe has a field for it: `optimizer.learning_rate`'
"""

from schema.signature.commandline import check_argv, read_argv
from schema.signature.names import FIELDS, RENAMED, near
from schema.signature.options import PLUGINS, check_options
from schema.signature.problem import Problem
from schema.signature.recorded import Option, Signature, for_program, load, packages, requirements, toolchain
from schema.signature.registry import (
    ModelEntry,
    find_model,
    known_model_types,
    known_templates,
    meant_by,
    model_problem,
    near_models,
    unmet_requirements,
    vocabulary,
)
from schema.signature.rules import check_rules
from schema.signature.values import arguments, resolve

__all__ = [
    "FIELDS",
    "PLUGINS",
    "RENAMED",
    "ModelEntry",
    "Option",
    "Problem",
    "Signature",
    "arguments",
    "check_argv",
    "check_options",
    "check_rules",
    "find_model",
    "for_program",
    "known_model_types",
    "known_templates",
    "load",
    "meant_by",
    "model_problem",
    "near",
    "near_models",
    "packages",
    "read_argv",
    "requirements",
    "resolve",
    "toolchain",
    "unmet_requirements",
    "vocabulary",
]
