"""`encoder-tui serve ...`: the same command line in a browser, by textual-serve, each visit a process of its own."""

from __future__ import annotations

import argparse
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ..engine.messages.errors import InputError
from ..engine.messages.translation import tr

HERE = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")
PORT = 8000
WITHOUT_SCREEN = ("batch", "list_models", "man", "print_completion")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; write `encoder-tui serve [--host HOST] [--port N] [OPTION ...] [TEXT ...]`")


def serve(
    argv: Sequence[str], parser: Callable[[], argparse.ArgumentParser], start: Callable[[argparse.Namespace], object]
) -> int:
    """Serve until Ctrl-C.

    Args:
        argv: `--host`, `--port`, and a command line of the screen.
        parser: what reads such a command line: what is wrong with it is told here, not in a browser.
        start: makes a session of it, once before anyone visits: a model that is not there, a text that is too long are told as well.

    Raises:
        InputError: something wrong with it, textual-serve is not installed, or the port is taken.
    """
    own = _Parser(add_help=False, allow_abbrev=False)
    own.add_argument("--host", default=HERE[0])
    own.add_argument("--port", type=int, default=PORT)
    options, rest = own.parse_known_args(argv)
    asked = parser().parse_args(rest)
    given = next((name for name in WITHOUT_SCREEN if getattr(asked, name)), None)
    if given is not None:
        option = f"--{given.replace('_', '-')}"
        raise InputError(f"serve puts the screen in a browser, and {option} has none; leave one of them out")
    if "-" in asked.text:
        raise InputError("serve has no standard input for each visit; write the texts themselves in place of -")
    if not 1 <= options.port <= 65535:
        raise InputError(f"--port {options.port} is no port; give 1 to 65535")
    server = _server(options.host, options.port, rest)
    start(asked)
    try:
        server.serve()
    except OSError as error:
        raise InputError(f"cannot serve on {options.host}:{options.port}: {error.strerror or error}; --port N takes another") from None  # fmt: skip
    return 0


def _server(host: str, port: int, rest: Sequence[str]) -> Any:
    """textual-serve's server; by name, as it is no dependency whose types could be known."""
    try:
        made = import_module("textual_serve.server").Server
    except ImportError:
        raise InputError(
            "serve needs textual-serve, which is not installed; pip install 'encoder-tui[serve]'"
        ) from None
    name = socket.gethostname() if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}"
    command = shlex.join([sys.executable, "-m", "encoder_tui", *rest])
    server = made(command, host, port, title="encoder-tui", public_url=url)
    make_app = server._make_app

    async def guarded_app() -> Any:
        app = await make_app()
        app.middlewares.append(import_module("aiohttp.web").middleware(guard(host, url)))
        return app

    async def say(_: Any) -> None:
        print(tr("in a browser: {url} (ctrl+c ends it)", url=url), flush=True)
        if host not in HERE:
            print(
                tr("whoever reaches {host} runs this program, and writes files by it, as you", host=host),
                file=sys.stderr,
            )

    server._make_app, server.on_startup, server.initialize_logging = guarded_app, say, lambda: None
    return server


def guard(host: str, url: str) -> Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]:
    """What stands before every answer.

    A page from elsewhere that the same browser has open may connect to a WebSocket of ours, and type commands: no rule of browsers
    forbids it, and textual-serve does not ask. So whatever names another page as its origin is refused, and here, where we
    are at home, whatever calls us by a name that is not ours (a name of theirs that leads to 127.0.0.1). Nothing is fetched
    from a network: the page would ask for a font.
    """
    ours = urlsplit(url).netloc
    port = ours.rpartition(":")[2]
    names = {ours, *(f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in HERE)}
    policy = f"style-src 'self' {url} 'unsafe-inline'; font-src 'self' {url} data:"

    async def answer(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        called = str(request.headers.get("Host", ""))
        origin = request.headers.get("Origin")
        known = names if host in HERE else {*names, called}
        if called not in known or (origin is not None and urlsplit(str(origin)).netloc not in known):
            return import_module("aiohttp.web").Response(status=403, text="this page is not ours\n")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = policy
        return response

    return answer
