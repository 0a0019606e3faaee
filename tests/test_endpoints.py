"""Who is asked, in which order, and who is told a token: nobody but the hub that it is for."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.cookiejar import Cookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hub_project import FILES, LIMITS, TO, alone, contents, filled, get, locked, point_at, refused
from hub_server import Fault, Hub, closed_port, served

from runners.fetch import Download, ensure
from runners.hubs import endpoints, tokens
from runners.hubs.http import Failed, Session, _target
from runners.hubs.listing import chosen
from schema.diagnostics import RecipeError
from schema.machine import Machine, Mirror

SECRET = "a-secret-that-is-right"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


@pytest.fixture
def servers(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hub, Hub, Hub]]:
    """ModelScope, Hugging Face, and a mirror of both, which nothing names yet."""
    with ExitStack() as stack:
        three = tuple(stack.enter_context(served(filled())) for _ in range(3))
        point_at(monkeypatch, three[0].url, three[1].url)
        yield three


# Who is asked


def urls(machine: Machine, **environment: str) -> list[str]:
    return [endpoint.url for endpoint in endpoints.ordered(machine, environment)]


def test_by_default_modelscope_then_hugging_face() -> None:
    assert urls(Machine()) == ["https://modelscope.cn", "https://huggingface.co"]


def test_mirrors_come_first_and_the_environment_before_the_machine_file() -> None:
    machine = Machine(
        mirrors=(Mirror(hub="huggingface", url="https://one.example.com/hf/"),),
        endpoints={"huggingface": "https://hub.example.com", "modelscope": "https://ms.example.com"},
        hubs=("huggingface", "modelscope"),
    )
    hubs = ["https://hub.example.com", "https://ms.example.com"]
    assert urls(machine) == ["https://one.example.com/hf", *hubs]
    assert urls(machine, HF_ENDPOINT="https://other.example.com/")[1:] == ["https://other.example.com", hubs[1]]
    assert urls(machine, MODELSCOPE_ENDPOINT="www.modelscope.ai")[1:] == [hubs[0], "https://www.modelscope.ai"]
    mirrors = "modelscope=http://two.example.com,huggingface=http://three.example.com"
    assert urls(machine, RECIPE_MIRRORS=mirrors)[:2] == ["http://two.example.com", "http://three.example.com"]
    assert urls(machine, RECIPE_HUBS="modelscope")[1:] == [hubs[1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECIPE_MIRRORS", "https://mirror.example.com"),
        ("RECIPE_MIRRORS", "github=https://mirror.example.com"),
        ("RECIPE_MIRRORS", "huggingface=mirror"),
        ("RECIPE_HUBS", "github"),
        ("HF_ENDPOINT", "ftp://me:hidden@example.com"),
    ],
)
def test_a_variable_that_makes_no_sense(name: str, value: str) -> None:
    with pytest.raises(RecipeError) as caught:
        urls(Machine(), **{name: value})
    (found,) = caught.value.diagnostics
    assert found.code == "R0539"
    assert name in found.message
    assert "hidden" not in f"{found}"


def test_a_mirror_is_asked_before_the_hubs(root: Path, servers: tuple[Hub, Hub, Hub]) -> None:
    (root / "machine.yaml").write_text(f"mirrors: [{{hub: huggingface, url: '{servers[2].url}'}}]\n")
    get(root, locked())
    assert contents(root / TO) == FILES
    assert servers[2].files_asked()
    assert servers[0].asked == servers[1].asked == []


def test_a_mirror_with_other_bytes_is_not_believed(
    root: Path, servers: tuple[Hub, Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[2].faults = [Fault("corrupt", at=5, match="*")]
    monkeypatch.setenv("RECIPE_MIRRORS", f"modelscope={servers[2].url}")
    get(root, locked())
    assert contents(root / TO) == FILES
    assert servers[2].files_asked()


def test_the_machine_file_names_the_hub(
    root: Path, servers: tuple[Hub, Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    (root / "machine.yaml").write_text(f"endpoints: {{huggingface: '{servers[2].url}/'}}\nhubs: [huggingface]\n")
    get(root, Download("model", "ours/m", "modelscope", None, TO))
    assert contents(root / TO) == FILES
    assert servers[0].asked == servers[1].asked == []


def test_a_machine_that_asks_no_hub_that_has_it(
    root: Path, servers: tuple[Hub, Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE_HUBS", "huggingface")
    servers[1].huggingface.clear()
    download = locked()
    only = download.asset.model_copy(update={"sources": {"modelscope": download.asset.sources["modelscope"]}})
    found = refused(root, Download("model", "ours/m", "modelscope", None, TO, only))
    assert found.code == "R0532"
    assert "is on ModelScope, which this machine does not ask" in found.message


# Tokens


def cookies(path: Path, value: str, expires: int | None) -> None:
    """What the client of ModelScope leaves after a login."""
    from requests.cookies import RequestsCookieJar

    jar = RequestsCookieJar()
    rest = (None, False, "modelscope.cn", True, False, "/", True, False, expires, False, None, None, {}, False)
    jar.set_cookie(Cookie(0, "other", "no", *rest))
    jar.set_cookie(Cookie(0, "m_session_id", value, *rest))
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(jar))


def test_where_the_clients_keep_tokens(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert tokens.of("huggingface", home) is tokens.of("modelscope", home) is None
    (tmp_path / ".cache/huggingface").mkdir(parents=True)
    (tmp_path / ".cache/huggingface/token").write_text("hf_from_a_file\n")
    cookies(tmp_path / ".modelscope/credentials/cookies", "ms-from-a-file", int(time.time()) + 1000)
    found = [tokens.of(hub, home) for hub in ("huggingface", "modelscope")]
    assert [token.value for token in found] == ["hf_from_a_file", "ms-from-a-file"]
    assert "hf_from" not in f"{found}"
    named = home | {"HF_TOKEN": "hf_named", "MODELSCOPE_API_TOKEN": "ms-named"}
    assert [tokens.of(hub, named).value for hub in ("huggingface", "modelscope")] == ["hf_named", "ms-named"]
    assert tokens.of("modelscope", home | {"MODELSCOPE_API_TOKEN": ""}) is None
    (tmp_path / "elsewhere").write_text("hf_elsewhere")
    assert tokens.of("huggingface", home | {"HF_TOKEN_PATH": str(tmp_path / "elsewhere")}).value == "hf_elsewhere"
    (tmp_path / "token").write_text("hf_home")
    assert tokens.of("huggingface", home | {"HF_HOME": str(tmp_path)}).value == "hf_home"


def test_a_login_that_is_over(tmp_path: Path) -> None:
    cookies(tmp_path / "credentials/cookies", "ms-from-a-file", int(time.time()) - 1)
    assert tokens.of("modelscope", {"MODELSCOPE_HOME": str(tmp_path)}) is None


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("was-run",)


@pytest.mark.parametrize("content", [pickle.dumps(Evil()), b"no pickle", b"", pickle.dumps({"a": 1})])
def test_a_file_of_cookies_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/cookies").write_bytes(content)
    assert tokens.of("modelscope", {"MODELSCOPE_HOME": str(tmp_path)}) is None
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("which", ["modelscope", "huggingface"])
def test_a_token_opens_a_gate_and_goes_nowhere_else(
    root: Path,
    servers: tuple[Hub, Hub, Hub],
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not to the storage on another host, not to a mirror, not to the other hub, not into a file or a message."""
    hub, other = servers[:2] if which == "modelscope" else servers[1::-1]
    (hub.modelscope if which == "modelscope" else hub.huggingface)["model", "ours/m"].gated = True
    hub.storage = True
    variable = {"modelscope": "MODELSCOPE_API_TOKEN", "huggingface": "HF_TOKEN"}[which]
    monkeypatch.setenv(variable, SECRET)
    monkeypatch.setenv("RECIPE_MIRRORS", f"modelscope={servers[2].url},huggingface={servers[2].url}")
    monkeypatch.setenv("RECIPE_HUBS", f"{which}")
    servers[2].faults = [Fault("status", at=404, match="*")]
    get(root, locked())
    assert contents(root / TO) == FILES
    stored = [asked for asked in hub.asked if asked.storage]
    assert stored
    assert all(asked.token for asked in hub.asked if not asked.storage)
    assert not any(asked.token or asked.cookie for asked in (*stored, *servers[2].asked, *other.asked))
    assert SECRET not in f"{capfd.readouterr()}"
    assert not [p for p in root.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("which", ["modelscope", "huggingface"])
def test_a_redirect_to_another_port_or_host(
    root: Path, servers: tuple[Hub, Hub, Hub], monkeypatch: pytest.MonkeyPatch, which: str, host: str
) -> None:
    """Bytes may come from there; the token and its cookie do not go there."""
    hub = servers[0] if which == "modelscope" else servers[1]
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", SECRET)
    monkeypatch.setenv("RECIPE_HUBS", which)
    storage = f"http://{host}:{urlsplit(servers[2].storage_url).port}"
    hub.faults = [Fault("redirect", to=f"{storage}/SHA256", match="*")]
    get(root, locked())
    assert contents(root / TO) == FILES
    assert len(servers[2].asked) == len(FILES)
    assert not any(asked.token or asked.cookie for asked in servers[2].asked)
    assert all(asked.token for asked in hub.asked)


def test_no_cookie_of_a_hub_is_kept(root: Path, servers: tuple[Hub, Hub, Hub]) -> None:
    get(root, locked())
    assert not any(asked.cookie for server in servers for asked in server.asked)


def test_redirects_that_no_token_survives() -> None:
    assert _target("https://a.example.com/x", "/y") == "https://a.example.com/y"
    assert _target("https://a.example.com/x", "https://me:word@b.example.com/y") == "https://b.example.com/y"
    for location in ("http://a.example.com/y", "ftp://a.example.com/y", ""):
        with pytest.raises(Failed):
            _target("https://a.example.com/x", location)


def test_a_name_and_a_password_in_an_address(
    root: Path, servers: tuple[Hub, Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go to that address, and are not shown."""
    machine = Machine(endpoints={"modelscope": "http://me:w%20rd@hub.example.com/ms"})
    endpoint = endpoints.ordered(machine, {})[0]
    assert endpoint.url == "http://hub.example.com/ms"
    assert endpoint.secrets == {"Authorization": "Basic bWU6dyByZA=="}
    assert "Basic" not in f"{endpoint}"


def test_a_permit_of_a_storage_that_has_run_out_is_no_gate(root: Path, servers: tuple[Hub, Hub, Hub]) -> None:
    """Its 403 says nothing about the repository."""
    servers[2].status = 403
    servers[0].faults = [Fault("redirect", to=f"{servers[2].storage_url}/SHA256")]
    get(root, locked())
    assert contents(root / TO) == FILES
    assert servers[1].files_asked("model.safetensors")


def test_a_token_is_in_no_argument_of_a_process(
    root: Path, servers: tuple[Hub, Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process is started for a download at all."""
    monkeypatch.setenv("HF_TOKEN", SECRET)

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a process")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    get(root, locked())
    assert contents(root / TO) == FILES


# What runs read

PATHS = {
    "config.json": True,
    "generation_config.json": True,
    "model-00001-of-00002.safetensors": True,
    "model.safetensors.index.json": True,
    "tokenizer.model": True,
    "merges.txt": True,
    "vocab.json": True,
    "preprocessor_config.json": True,
    "chat_template.jinja": True,
    "modeling_own.py": True,
    "adapter/adapter_config.json": True,
    "mm_projector.bin": True,
    "2_Dense/pytorch_model.bin": True,
    "README.md": False,
    "LICENSE": False,
    "LICENSE.txt": False,
    "USE_POLICY.md": False,
    ".gitattributes": False,
    "configuration.json": False,
    "pictures/shown.png": False,
    "report.pdf": False,
    "model.gguf": False,
    "onnx/model.onnx": False,
    "tf_model.h5": False,
    "flax_model.msgpack": False,
    "original/consolidated.00.pth": False,
    "original/params.json": False,
    "consolidated.safetensors": False,
    "pytorch_model.bin": False,
    "pytorch_model.bin.index.json": False,
    "training_args.bin": False,
}


def test_what_of_a_model_is_locked() -> None:
    assert {path: path in chosen("model", PATHS) for path in PATHS} == PATHS


def test_pickled_weights_where_there_are_no_others() -> None:
    paths = ["config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json", "adapter/a.safetensors"]
    assert chosen("model", paths) == sorted(paths)


def test_what_of_a_data_set_is_locked() -> None:
    paths = ["data/a.parquet", "pictures/1.png", "notes.zip", "train.jsonl", "README.md", ".gitattributes", "LICENSE"]
    assert chosen("dataset", paths) == ["data/a.parquet", "notes.zip", "pictures/1.png", "train.jsonl"]


# The stage before


def test_a_dead_port_is_not_even_tried_for_what_is_built_or_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that is there, and a session that was never opened."""
    point_at(monkeypatch, closed_port())

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a connection")

    (root / TO).mkdir(parents=True)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert ensure(root, [Download("model", "tiny/qwen2-vl", "modelscope", None, TO)], limits=LIMITS) == []
    assert ensure(root, [Download("model", "ours/m", "modelscope", None, TO)], limits=LIMITS) == []


def test_the_program_starts_without_http() -> None:
    code = "import runners.fetch, runners.resolve, runners.commands.fetch, sys; print('httpx' in sys.modules)"
    ran = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_a_session_closes() -> None:
    session = Session(LIMITS)
    session.close()
    assert session._client.is_closed
