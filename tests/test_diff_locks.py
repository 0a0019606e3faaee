"""`recipe diff` and locks: what a moved pin does, said with the place in the lock."""

import pytest
from compiling import change, recipe
from diff_project import actions, commit, fields, found, repository, risks
from test_lock import CHAT, DATA, edit

from schema.lock import LockedFile, digest_of, lock_of, read_lock, text_of

SCORED = CHAT.replace("data: other.train}", "data: other.train}\n  scores: {kind: evaluate, predictions: answers}")
MODEL = CHAT.replace("tiny/qwen2-vl", "Qwen/Qwen2-VL-2B-Instruct").replace("hardware: {gpus: 0}", "hardware: {gpus: 1}")


@pytest.fixture
def root(tmp_path):
    """A repository with a recipe that is locked and compiled."""
    for path, text in DATA.items():
        (tmp_path / "p" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / path).write_text(text)
    root = repository(tmp_path / "p", chat=SCORED)
    recipe(root, "lock")
    commit(root, "locked")
    return root


def test_a_comment_moves_nothing(root):
    path = root / "recipes/chat.lock"
    path.write_text(f"{path.read_text()}# kept\n")
    assert found(root)["pipelines"] == []


def test_other_bytes_of_a_file(root):
    (root / "data/rows.jsonl").write_text('{"reply": "b"}\n')
    recipe(root, "lock")
    document = found(root)
    assert actions(document, "chat") == {
        "data": "changed",
        "train": "follows",
        "answers": "follows",
        "scores": "follows",
    }
    assert risks(document, "chat") == ["pin"]
    (risk,) = document["pipelines"][0]["risks"]
    assert risk["message"].startswith("`data/rows.jsonl` is pinned to other bytes: ")
    assert risk["place"]["file"] == "recipes/chat.lock"
    (reason,) = document["pipelines"][0]["stages"][0]["reasons"]
    assert reason.startswith("bytes of dataset ")
    assert list(fields(document, "chat")) == ["lock.local.data/rows.jsonl"]


def test_data_that_is_scored_moves_together_with_training(root):
    for path in ("data/rows.jsonl", "data/more.csv"):
        with (root / path).open("a") as file:
            file.write(DATA[path])
    recipe(root, "lock")
    assert risks(found(root), "chat") == ["comparability", "pin", "pin"]


def test_a_new_lock_warns_of_nothing(root):
    """Every key moves, and nobody knows whether a byte did."""
    (root / "recipes/chat.lock").unlink()
    commit(root, "no lock")
    recipe(root, "lock")
    document = found(root)
    assert actions(document, "chat")["data"] == "changed"
    assert risks(document, "chat") == []
    assert fields(document, "chat") == {"lock": (None, "recipes/chat.lock")}


def test_the_toolchain_of_a_lock(root):
    """Told as a field; what it does to stages is in their identities."""
    edit(root, "torch: 2", "torch: 1")
    document = found(root)
    assert actions(document, "chat") == {}
    ((path, (before, after)),) = fields(document, "chat").items()
    assert (path, before[0], after[0]) == ("lock.toolchain.torch", "2", "1")


def test_another_toolchain_of_a_lock(root):
    """The version of one package of it, with its place."""
    change(root, "kind: sft, model", "kind: sft, engine: trl, toolchain: trl1, model", "chat")
    recipe(root, "lock")
    commit(root, "another toolchain")
    edit(root, "    trl: 1", "    trl: 9")
    document = found(root)
    ((path, (before, after)),) = fields(document, "chat").items()
    assert (path, before[0], after[0]) == ("lock.toolchains.trl1/trl", "1", "9")
    assert risks(document, "chat") == []


def with_model(root, number, commit_, **more):
    """Lock a model of a hub to made-up bytes."""
    files = {
        "config.json": {"size": 1, "sha256": "0" * 64},
        "model.safetensors": {"size": 1, "sha256": f"{number}" * 64},
    }
    sha256 = digest_of({path: LockedFile(**file) for path, file in files.items()})
    source = {"repo": "Qwen/Qwen2-VL-2B-Instruct", "requested": "master", "commit": commit_ * 40}
    path = lock_of(root / "recipes/chat.yaml")
    known = read_lock(path, "chat.lock", {}).lock.model_dump(mode="json", exclude_none=True)
    known["models"] = {source["repo"]: {"sha256": sha256, "sources": {"modelscope": source}, "files": files}}
    path.write_text(text_of(type(read_lock(path, "chat.lock", {}).lock).model_validate(known), "chat.yaml"))


def test_a_model_moves_with_its_files_and_commit(root):
    (root / "recipes/chat.yaml").write_text(MODEL)
    with_model(root, 1, "a")
    commit(root, "model")
    with_model(root, 1, "b")
    document = found(root)
    assert (actions(document, "chat"), risks(document, "chat")) == ({}, [])  # the same bytes from another commit
    assert "modelscope@bbbbbbbbbbbb" in fields(document, "chat")["lock.models.Qwen/Qwen2-VL-2B-Instruct"][1]
    with_model(root, 2, "b")
    document = found(root)
    assert actions(document, "chat") == {"train": "changed", "answers": "changed"}
    (risk,) = document["pipelines"][0]["risks"]
    assert risk["message"].endswith(", in model.safetensors")
    markdown = recipe(root, "diff", "--format", "markdown")[1]
    assert "is pinned to other bytes" in markdown
    assert "recipes/chat.lock:" in recipe(root, "diff")[1]


def test_a_broken_lock_is_a_failure_of_its_side(root):
    (root / "recipes/chat.lock").write_text("version: 1\n")
    code, _, err = recipe(root, "diff")
    assert code == 1
    assert "error[R0104]" in err and "recipes/chat.lock:1" in err
