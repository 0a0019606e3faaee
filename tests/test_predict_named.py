"""Which folders a name on the command line stands for: a model, an adapter with the model below it, a stage's output."""

import json

import pytest

from runners.predict.dataset import named
from schema.diagnostics import RecipeError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with a model, and a stage that trained an adapter for it."""
    monkeypatch.chdir(tmp_path)
    for folder, file, text in (
        ("base", "config.json", {}),
        ("outputs/train/model", "adapter_config.json", {"base_model_name_or_path": "base"}),
        ("outputs/merged/model", "config.json", {}),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text(json.dumps(text))
    return tmp_path


def below(root, *names):
    return tuple(None if name is None else root / name for name in names)


@pytest.mark.parametrize(
    ("model", "adapter", "expected"),
    [
        ("base", None, ("base", None)),
        ("base", "outputs/train/model", ("base", "outputs/train/model")),
        ("outputs/train/model", None, ("base", "outputs/train/model")),
        ("outputs/train", None, ("base", "outputs/train/model")),
        ("outputs/merged", None, ("outputs/merged/model", None)),
    ],
)
def test_a_name_stands_for_folders(root, model, adapter, expected):
    found = named(*below(root, model, adapter))
    assert tuple(folder and root / folder for folder in found) == below(root, *expected)


def test_what_is_not_here_is_named_and_not_looked_for_on_a_hub(root):
    with pytest.raises(RecipeError) as error:
        named(*below(root, "Qwen/Qwen2-VL-2B-Instruct", None))
    assert error.value.diagnostics[0].code == "R0639"
    (root / "base" / "config.json").unlink()
    (root / "base").rmdir()
    with pytest.raises(RecipeError) as error:
        named(*below(root, "outputs/train", None))
    (found,) = error.value.diagnostics
    assert found.message == f"there is no folder base, to which {root / 'outputs/train/model'} belongs"
