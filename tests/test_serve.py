"""`encoder-tui serve`: the screen in a browser, on loopback, and for nobody else's pages."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from encoder_tui.tui.cli import main

BEGIN = [sys.executable, "-m", "encoder_tui", "serve"]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--batch"], "--batch has none; leave one of them out"),
        (["--list-models"], "--list-models has none; leave one of them out"),
        (["-"], "write the texts themselves in place of -"),
        (["--seed", "3"], "--seed needs --train-mode"),
        (["-x", "nowhere.txt"], "cannot read the script 'nowhere.txt'"),
        (["-m", "./nowhere"], "nowhere"),
        (["--device", "abacus"], "abacus"),
        (["--export", "a.npz"], "--export needs --batch"),
        (["--port", "0"], "--port 0 is no port; give 1 to 65535"),
        (["--port", "x"], "invalid int value: 'x'; write `encoder-tui serve [--host HOST]"),
    ],
)
def test_what_is_wrong_is_told_here_and_not_in_a_browser(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def no_server(host: str, port: int, rest: list[str]) -> None: ...

    monkeypatch.setattr("encoder_tui.tui.serve._server", no_server)  # which could not serve
    assert main(["serve", *argv]) == 2
    assert told in capsys.readouterr().err


def test_without_the_extra_one_line_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    assert main(["serve", "a text"]) == 2
    told = "encoder-tui: serve needs textual-serve, which is not installed; pip install 'encoder-tui[serve]'\n"
    assert capsys.readouterr().err == told


@pytest.fixture(scope="module")
def url(small_dir: Path) -> Iterator[str]:
    pytest.importorskip("textual_serve")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*BEGIN, "--port", str(port), "-m", str(small_dir), "--no-config", "the cat 'sat'; $HOME"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            said = server.stdout.readline()
            assert said == f"in a browser: http://127.0.0.1:{port} (ctrl+c ends it)\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            os.kill(server.pid, signal.SIGINT)
            assert server.wait(30) == 0


def asked(url: str, path: str = "/", **headers: str) -> tuple[int, str, str]:
    aiohttp = pytest.importorskip("aiohttp")

    async def get() -> tuple[int, str, str]:
        async with aiohttp.ClientSession() as session, session.get(url + path, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers.get("Content-Security-Policy", "")

    return asyncio.run(get())


def test_the_page_is_there_and_fetches_nothing_from_a_network(url: str):
    status, page, policy = asked(url)
    assert status == 200
    assert "encoder-tui" in page
    assert policy == f"style-src 'self' {url} 'unsafe-inline'; font-src 'self' {url} data:"
    assert asked(url, "/static/css/xterm.css")[0] == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Host": "elsewhere.example:8000"}]
)
@pytest.mark.parametrize("path", ["/", "/ws"])
def test_pages_from_elsewhere_are_refused(url: str, path: str, headers: dict[str, str]):
    assert asked(url, path, **headers)[:2] == (403, "this page is not ours\n")


def test_the_screen_comes_through_the_socket(url: str):
    aiohttp = pytest.importorskip("aiohttp")

    async def look() -> bytes:
        seen = b""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/ws?width=120&height=40", headers={"Origin": url}) as socket,
        ):
            async for message in socket:
                seen += message.data if isinstance(message.data, bytes) else b""
                if b"one-hot" in seen and b"home" in seen:
                    break
        return seen

    seen = asyncio.run(asyncio.wait_for(look(), 60))
    assert b"one-hot" in seen
    assert b"home" in seen  # the text came through the shell as it was typed
