"""Downloads, from a stub of the Hub on loopback: only what is needed is fetched, and each failure is one clear line."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from own_process import MAIN, run_forked

COMMIT = "0123456789abcdef0123456789abcdef01234567"
UNWANTED = ("pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "README.md", "flax_model.msgpack")
WHERE = "from encoder_tui.engine.models.hub import locate; print(locate('org/model', print)[1])"


class Hub(ThreadingHTTPServer):
    """Serves one repository, `org/model`; every other is a failure of some kind."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Answers)
        self.files, self.truncated = files, False
        self.fetched: list[str] = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride] # whose answers these are

    def log_message(self, format: str, *words: object):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        path = self.path.partition("?")[0]
        if "org/gated" in path:
            return self.fail(403, "GatedRepo", body)
        if "org/private" in path:
            return self.fail(401, "RepoNotFound", body)
        if "org/broken" in path:
            return self.fail(500, "", body)
        if "org/model" not in path:
            return self.fail(404, "RepoNotFound", body)
        if "no-such-branch" in path:
            return self.fail(404, "RevisionNotFound", body)
        if "/tree/" in path:
            return self.send(json.dumps([entry(name, data) for name, data in self.server.files.items()]).encode(), body)
        if path.startswith("/api/models/"):
            siblings = [{"rfilename": name} for name in self.server.files]
            return self.send(json.dumps({"id": "org/model", "sha": COMMIT, "siblings": siblings}).encode(), body)
        name = path.split(f"/resolve/{COMMIT}/")[-1]
        if name not in self.server.files:
            return self.fail(404, "EntryNotFound", body)
        if body:
            self.server.fetched.append(name)
        return self.send(self.server.files[name], body, name)

    def send(self, data: bytes, body: bool, name: str | None = ""):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/octet-stream" if name else "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.end_headers()
        if body and self.server.truncated and name == "model.safetensors":
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif body:
            self.wfile.write(data)

    def fail(self, status: int, code: str, body: bool):
        text = b'{"error": "no"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", "no")
        self.end_headers()
        if body:
            self.wfile.write(text)


def entry(name: str, data: bytes):
    return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}


@pytest.fixture
def hub(small_dir: Path) -> Iterator[Hub]:
    files = {str(path.relative_to(small_dir)): path.read_bytes() for path in small_dir.rglob("*") if path.is_file()}
    server = Hub(files | dict.fromkeys(UNWANTED, b"never to be fetched"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(hub: Hub, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line against the stub, with a cache of its own."""

    def run(model: str, script: str = MAIN, **environment: str):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        own = {
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "*",
        }
        arguments = ["one two", "-m", model, "--batch", "-ex", "info model"]
        return run_forked(arguments, script=script, environment=kept | own | environment)

    return run


def refused(done: subprocess.CompletedProcess[str], says: str):
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr


def test_only_what_is_needed_and_only_once(ask: Callable[..., subprocess.CompletedProcess[str]], hub: Hub):
    first = ask("org/model")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert "org/model" in first.stdout
    assert set(hub.fetched) == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    }
    hub.fetched.clear()
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        again = ask("org/model", WHERE, **environment)
        assert COMMIT in again.stdout, again.stderr
        assert again.stdout.splitlines()[-1] in first.stdout
    assert hub.fetched == []


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("org/nowhere", "no model 'org/nowhere': no such directory here, and the Hub has none"),
        ("org/private", "it is private"),
        ("org/gated", "is gated"),
        ("org/model@no-such-branch", "has no revision 'no-such-branch'"),
        ("org/broken", "org/broken"),
    ],
)
def test_refusals(ask: Callable[..., subprocess.CompletedProcess[str]], model: str, says: str):
    refused(ask(model), says)


@pytest.mark.sweep
def test_a_download_that_breaks_off(ask: Callable[..., subprocess.CompletedProcess[str]], hub: Hub):
    hub.truncated = True
    refused(ask("org/model"), "download of 'org/model' failed")
    hub.truncated = False
    assert COMMIT in ask("org/model", WHERE).stdout  # nothing broken was left in the cache


def test_offline_and_not_in_the_cache(ask: Callable[..., subprocess.CompletedProcess[str]]):
    refused(ask("org/model", HF_HUB_OFFLINE="1"), "not in the local Hub cache, and HF_HUB_OFFLINE is set")


def test_nobody_answers(ask: Callable[..., subprocess.CompletedProcess[str]]):
    refused(ask("org/model", HF_ENDPOINT="http://127.0.0.1:9"), "the Hub cannot be reached")


def test_old_weights_only_where_there_are_no_others(
    ask: Callable[..., subprocess.CompletedProcess[str]], hub: Hub, small_dir: Path
):
    import io

    import torch
    from safetensors.torch import load_file

    content = io.BytesIO()
    torch.save(load_file(small_dir / "model.safetensors"), content)
    hub.files["pytorch_model.bin"] = content.getvalue()
    del hub.files["model.safetensors"]
    done = ask("org/model")
    assert done.returncode == 0, done.stderr
    assert "weights from pytorch_model.bin, read without running it; model.safetensors is preferred" in done.stdout
    assert not set(hub.fetched) & {"tf_model.h5", "onnx/model.onnx", "flax_model.msgpack", "README.md"}


def test_whatever_is_read_is_fetched(ask: Callable[..., subprocess.CompletedProcess[str]], hub: Hub, small_dir: Path):
    """A file that was left behind would change the numbers without a word: prompts, limits, special tokens, an adapter."""
    own = {
        "config_sentence_transformers.json": {"prompts": {"query": "the query: "}, "default_prompt_name": "query"},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}
        ],
        "0_Transformer/sentence_roberta_config.json": {"max_seq_length": 3},
        "0_Transformer/special_tokens_map.json": {},
        "0_Transformer/adapter_config.json": {"base_model_name_or_path": "org/base"},
    }
    for name in [name for name in hub.files if name not in UNWANTED]:
        hub.files[f"0_Transformer/{name}"] = hub.files.pop(name)
    hub.files |= {name: json.dumps(content).encode() for name, content in own.items()}
    done = ask("org/model")
    assert done.returncode == 0, done.stderr
    assert set(hub.fetched) >= set(own)
    for said in ("the prompt 'the query: ' (query)", "first 3 tokens", "an adapter (org/base) lies beside the weights"):
        assert said in done.stderr


def test_every_name_of_a_file_is_known_to_the_downloads():
    """Whatever the reader of a directory asks for by name is among what is fetched."""
    from encoder_tui.engine.models import hub

    source = "".join(path.read_text("utf-8") for path in Path(hub.__file__).parent.rglob("*.py"))
    named = set(re.findall(r'"([\w-]+\.(?:json|model|txt))"', source))
    patterns = (*hub.NEEDED, *hub.WEIGHTS, *hub.OLD_WEIGHTS)
    ours = {"again.txt"}  # files that are no model's
    assert {name for name in named - ours if not any(fnmatch(name, pattern) for pattern in patterns)} == set()
