"""Resolving: what a name stands for on each hub, and listings that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_faults import LARGE, sha256_of
from hub_project import FILES, LIMITS, ROWS, alone, filled, get, locked, point_at, resolved, untidy
from hub_server import Hub, black_hole, closed_port, served

from runners.fetch import Download
from runners.resolve import Resolution, resolve
from schema.diagnostics import Diagnostic, RecipeError

BOTH = {"modelscope": "ours/m", "huggingface": "ours/m"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


@pytest.fixture
def server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with served(filled()) as hub:
        point_at(monkeypatch, hub.url)
        yield hub


def resolution(root: Path, revision: str | None = None, first: str = "modelscope", **ids: str) -> Resolution:
    return resolve(root, "model", ids or BOTH, revision, first, limits=LIMITS)


def refused(root: Path, revision: str | None = None, first: str = "modelscope", **ids: str) -> Diagnostic:
    with pytest.raises(RecipeError) as caught:
        resolution(root, revision, first, **ids)
    untidy(root)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize("first", ["modelscope", "huggingface"])
def test_the_same_files_on_both_hubs(root: Path, server: Hub, kind: str, first: str) -> None:
    """Commits differ, bytes do not; what is only about the repository is left out."""
    found = resolved(root, "ours/m" if kind == "model" else "ours/d", first, kind)
    assert found == locked(kind=kind).asset


def test_small_files_are_in_the_store_afterwards(root: Path, server: Hub) -> None:
    """And large ones were not asked for."""
    resolution(root, first="huggingface", huggingface="ours/m")
    blobs = {path.name for path in (root / ".recipe/store/blobs").glob("??/*")}
    assert blobs == {sha256_of(content) for path, content in FILES.items() if not path.endswith(LARGE)}
    assert not any(asked.file.endswith(LARGE) for asked in server.files_asked())


def test_ids_may_differ_from_hub_to_hub(root: Path, server: Hub) -> None:
    server.add("huggingface", "model", "theirs/other", FILES)
    found = resolution(root, modelscope="ours/m", huggingface="theirs/other")
    assert {hub: source.repo for hub, source in found.asset.sources.items()} == {
        "modelscope": "ours/m",
        "huggingface": "theirs/other",
    }


OTHERS = {
    "other bytes": ({**FILES, "config.json": b'{"model_type": "more"}'}, "has other bytes in config.json"),
    "other bytes of the same size": (
        {**FILES, "config.json": b'{"model_type": "tinx"}'},
        "has other bytes in config.json",
    ),
    "other weights": (
        {**FILES, "model.safetensors": FILES["model.safetensors"][::-1]},
        "has other bytes in model.safetensors",
    ),
    "a file less": ({path: c for path, c in FILES.items() if path != "config.json"}, "lacks config.json"),
}


@pytest.mark.parametrize("first", ["modelscope", "huggingface"])
@pytest.mark.parametrize("other", OTHERS)
def test_another_hub_with_something_else_is_left_out(root: Path, server: Hub, other: str, first: str) -> None:
    second = {"modelscope": "huggingface", "huggingface": "modelscope"}[first]
    server.add(second, "model", "ours/m", OTHERS[other][0])
    found = resolution(root, first=first)
    assert list(found.asset.sources) == [first]
    assert [(left.hub, left.reason) for left in found.left_out] == [(second, OTHERS[other][1])]


def test_a_file_more_on_another_hub_does_no_harm(root: Path, server: Hub) -> None:
    server.add("huggingface", "model", "ours/m", {**FILES, "generation_config.json": b"{}"})
    assert set(resolution(root).asset.sources) == {"modelscope", "huggingface"}


def test_the_other_hub_when_the_first_has_no_such_thing(root: Path, server: Hub) -> None:
    server.add("huggingface", "model", "theirs/m", FILES)
    found = resolution(root, modelscope="theirs/m", huggingface="theirs/m")
    assert list(found.asset.sources) == ["huggingface"]
    assert [(left.hub, left.reason) for left in found.left_out] == [("modelscope", "has no model theirs/m")]


def test_nobody_has_it(root: Path, server: Hub) -> None:
    found = refused(root, modelscope="ours/misprnt", huggingface="ours/misprnt")
    assert found.code == "R0530"


def test_a_revision(root: Path, server: Hub) -> None:
    """A tag of one hub alone; a commit."""
    repo = server.modelscope["model", "ours/m"]
    repo.commits["1" * 40] = older = {**FILES, "config.json": b"[1]"}
    repo.refs["v1"] = "1" * 40
    for revision in ("v1", "1" * 40):
        found = resolution(root, revision)
        source = found.asset.sources["modelscope"]
        assert (source.requested, source.commit) == (revision, "1" * 40)
        assert found.asset.files["config.json"].sha256 == sha256_of(older["config.json"])
        assert [left.hub for left in found.left_out] == ["huggingface"]
    assert refused(root, "v9").code in ("R0530", "R0533")


@pytest.mark.parametrize("which", ["modelscope", "huggingface"])
def test_gates(root: Path, server: Hub, which: str) -> None:
    """Of the hub that says what it is: the end. Of another one: it is left out."""
    (server.modelscope if which == "modelscope" else server.huggingface)["model", "ours/m"].gated = True
    found = refused(root, first=which)
    assert found.code == "R0531"
    assert ("MODELSCOPE_API_TOKEN" if which == "modelscope" else "HF_TOKEN") in found.help
    other = {"modelscope": "huggingface", "huggingface": "modelscope"}[which]
    left = resolution(root, first=other).left_out
    assert [(left_out.hub, left_out.reason) for left_out in left] == [(which, "wants a token or an accepted licence")]


def test_a_private_repository_with_a_token(root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("huggingface", "model", "ours/private", FILES, private=True)
    assert refused(root, huggingface="ours/private", first="huggingface").code == "R0530"
    monkeypatch.setenv("HF_TOKEN", server.token)
    assert resolution(root, huggingface="ours/private", first="huggingface").asset.sources
    monkeypatch.setenv("HF_TOKEN", "an-expired-one")
    found = refused(root, huggingface="ours/private", first="huggingface")
    assert found.code == "R0531"
    assert "does not accept the token of HF_TOKEN" in found.message


# Listings that cannot be

LISTINGS = {
    # fault: (hubs, what is said)
    "empty": (("modelscope", "huggingface"), "lists no file"),
    "null": (("modelscope",), "lists no file"),
    "no-success": (("modelscope",), "does not say that it succeeded"),
    "short": (("modelscope", "huggingface"), "lists 7 files and says that it has 8|listing lacks pytorch_model.bin"),
    "huge": (("modelscope",), "lists 3000 entries at once"),
    "no-sha256": (("modelscope",), "lists no sha256 for config.json"),
    "outside": (("modelscope", "huggingface"), "paths that leave the folder: '../outside.json'"),
    "absolute": (("modelscope",), "paths that leave the folder: '/tmp/outside.json'"),
    "lying-commit": (("modelscope",), "lists commit dddddddddd"),
    "other-commit": (("huggingface",), "of commit ffffffffff"),
}


@pytest.mark.parametrize(("fault", "hub"), [(f, hub) for f, (hubs, _) in LISTINGS.items() for hub in hubs])
def test_a_listing_that_cannot_be(root: Path, server: Hub, fault: str, hub: str) -> None:
    server.listing.add(fault)
    found = refused(root, first=hub, **{hub: "ours/m"})
    assert found.code == "R0533"
    assert any(said in found.message for said in LISTINGS[fault][1].split("|")), found.message
    assert server.url in found.help
    assert not (root.parent / "outside.json").exists()
    assert not Path("/tmp/outside.json").exists()


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_a_hub_that_answers_for_another_commit(root: Path, server: Hub, hub: str) -> None:
    """The commit is asked for, and the hub gives what it has now."""
    repos = server.modelscope if hub == "modelscope" else server.huggingface
    commit = next(iter(repos["model", "ours/m"].commits))
    repos["model", "ours/m"].commits["9" * 40] = {**FILES, "config.json": b"[9]"}
    server.listing |= {"ignored-revision", "lying-commit"} if hub == "huggingface" else {"ignored-revision"}
    found = refused(root, commit, first=hub, **{hub: "ours/m"})
    assert found.code == "R0533"
    assert commit in found.message


def test_a_list_of_commits_that_lies(root: Path, server: Hub) -> None:
    server.listing.add("lying-commits")
    assert refused(root, modelscope="ours/m").code == "R0533"


def test_a_hub_without_a_list_of_commits(root: Path, server: Hub) -> None:
    """Then the listing of the branch says which commit it is."""
    server.listing.add("no-commits")
    assert resolved(root) == locked().asset


def test_short_pages_are_read_to_the_end(root: Path, server: Hub) -> None:
    """The client of ModelScope stops at the first; and 7 files on pages of 2 end with a short one here, too."""
    rows = {f"part-{number}.jsonl": b"{}\n" * number for number in range(7)}
    server.add("modelscope", "dataset", "ours/many", rows)
    server.listing.add("short-pages")
    found = resolve(root, "dataset", {"modelscope": "ours/many"}, None, "modelscope", limits=LIMITS)
    assert set(found.asset.files) == set(rows)


def test_a_data_set_that_is_cut(root: Path, server: Hub) -> None:
    server.listing.add("short")
    with pytest.raises(RecipeError) as caught:
        resolve(root, "dataset", {"modelscope": "ours/d"}, None, "modelscope", limits=LIMITS)
    assert caught.value.diagnostics[0].code == "R0533"
    assert set(ROWS)


def test_pages_whose_links_name_the_hub_itself(root: Path, server: Hub) -> None:
    """Behind an address that takes its place, they are asked for there."""
    server.listing.add("foreign-links")
    assert resolved(root, first="huggingface") == locked().asset


# Nobody there


def test_a_hub_that_is_down(root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first: the end, for nobody else may say what it is. Another one: left out."""
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    found = refused(root, first="huggingface")
    assert found.code == "R0532"
    assert "mirrors:" in found.help
    left = resolution(root).left_out
    assert [left_out.hub for left_out in left] == ["huggingface"]


def test_a_black_hole(root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with black_hole() as hole:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", hole)
        assert "does not answer in time" in refused(root).message


def test_a_mirror_is_not_asked_what_a_name_is(root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(filled()) as mirror:
        monkeypatch.setenv("RECIPE_MIRRORS", f"modelscope={mirror.url},huggingface={mirror.url}")
        resolution(root)
        assert mirror.asked == []


# Chat templates

TEMPLATES = {
    "a file of its own": ({"chat_template.jinja": b"{{ own }}", "tokenizer_config.json": b"{}"}, b"{{ own }}"),
    "a JSON file": ({"chat_template.json": b'{"chat_template": "{{ json }}"}', "tokenizer_config.json": b"{}"}, b"{{ json }}"),
    "several": (
        {"tokenizer_config.json": b'{"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]}'},
        b"d",
    ),
    "none": ({"tokenizer_config.json": b"{}"}, None),
    "a broken file": ({"tokenizer_config.json": b"{"}, None),
}  # fmt: skip


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_chat_template(root: Path, server: Hub, name: str, hub: str) -> None:
    files, text = TEMPLATES[name]
    server.add(hub, "model", "ours/t", {"config.json": b"{}", **files})
    found = resolution(root, first=hub, **{hub: "ours/t"})
    assert found.asset.chat_template == (sha256_of(text) if text else None)


def test_what_was_resolved_can_be_fetched(root: Path, server: Hub) -> None:
    asset = resolution(root).asset
    server.asked.clear()
    get(root, Download("model", "ours/m", "modelscope", None, ".recipe/models/m", asset))
    assert [a.file for a in server.files_asked()] == ["model.safetensors"]
