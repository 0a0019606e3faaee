"""The commands of the zoo's older models are taken by the older ms-swift itself, in its own environment."""

import pytest
from test_conformance import Call, asked, prepare, project, run

from runners.signatures import interpreter

pytestmark = [pytest.mark.engine, pytest.mark.smoke]

TOOLCHAIN = "transformers-4.41"
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32", "hidden_size": 32}
"""A configuration that is in transformers itself: those of the models come with their code."""
VARIANTS = ("cogvlm-17b", "cogvlm2-19b", "minicpm-v-1", "minicpm-v-2-6")

__all__ = ["project"]


@pytest.fixture(scope="module")
def judged(project):
    """(call, whether the engine takes it, its error), and last a call with an option that only its successor has."""
    scripts = [path for name in VARIANTS for path in sorted(project.glob(f"pipelines/animals-zoo/{name}/*.sh"))]
    calls = [call for path in scripts for resume in ("", "checkpoint-3") for call in run(project, path, resume)]
    swift = [call for call in calls if call.argv[0] == "swift"]
    for call in swift:
        prepare(project, call.argv, TOOLCHAIN, LLAMA)
    sft = next(call.argv for call in swift if call.argv[1] == "sft")
    return asked(project, [*swift, Call("refused", [*sft, "--tuner_type", "lora"], TOOLCHAIN)], interpreter(TOOLCHAIN))


def test_the_older_engine_takes_every_command_of_its_models(judged):
    assert {call.script.split("/")[2] for call, _, _ in judged[:-1]} == set(VARIANTS)
    assert {call.argv[1] for call, _, _ in judged} == {"sft", "export", "infer"}
    assert [(call.script, error) for call, accepted, error in judged[:-1] if not accepted] == []


def test_it_refuses_an_option_of_its_successor(judged):
    call, accepted, error = judged[-1]
    assert call.script == "refused" and not accepted and "tuner_type" in error
