"""Tiny models: the same bytes for the same seed, and the ids that engines expect."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runners.tiny_model import FAMILIES
from schema.signature import known_model_types, known_templates

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.engine


def build(to, family, seed=0, **environment):
    command = [sys.executable, "-m", "runners.tiny_model", "--family", family, "--seed", str(seed), "--to", str(to)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", **environment})
    return {path.name: path.read_bytes() for path in to.iterdir()}


def test_bytes_depend_on_the_seed_alone(tmp_path):
    first = build(tmp_path / "a", "qwen2_vl", PYTHONHASHSEED="1", OMP_NUM_THREADS="1")
    again = build(tmp_path / "b", "qwen2_vl", PYTHONHASHSEED="2", OMP_NUM_THREADS="2")
    other = build(tmp_path / "c", "qwen2_vl", seed=1)
    assert first == again
    assert first["model.safetensors"] != other["model.safetensors"]
    assert first["tokenizer.json"] == other["tokenizer.json"]
    assert {"config.json", "processor_config.json", "tokenizer.json", "chat_template.jinja"} <= first.keys()
    assert not [name for name, content in first.items() if bytes(tmp_path) in content]
    tokens = {token["content"]: token["id"] for token in json.loads(first["tokenizer.json"])["added_tokens"]}
    assert tokens["<|endoftext|>"] == 151_643 and tokens["<|image_pad|>"] == 151_655
    assert json.loads(first["config.json"])["text_config"]["vocab_size"] == 151_936


ALL = """
import sys
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from runners.tiny_model import FAMILIES, build
TEXT = {"qwen3"}
for family in FAMILIES:
    to = Path(sys.argv[1], family)
    parameters = build(family, 0, to)
    text = family in TEXT
    (AutoTokenizer if text else AutoProcessor).from_pretrained(to)
    loaded = (AutoModelForCausalLM if text else AutoModelForImageTextToText).from_pretrained(to)
    assert sum(p.numel() for p in loaded.parameters()) == parameters, family
    print(family)
"""


def test_every_family_loads(tmp_path):
    done = subprocess.run([sys.executable, "-c", ALL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-len(FAMILIES) :] == list(FAMILIES)


def test_ms_swift_knows_every_family():
    assert FAMILIES.keys() <= set(known_model_types())
    assert FAMILIES.keys() <= set(known_templates())


def test_an_existing_folder_is_left_alone(tmp_path):
    command = [sys.executable, "-m", "runners.tiny_model", "--to", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "exists already" in done.stderr
