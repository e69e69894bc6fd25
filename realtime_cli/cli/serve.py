"""``realtime-cli serve``: the local voice server on a socket, for any client of the Realtime API."""

from __future__ import annotations

import gc
import ipaddress
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from realtime_cli.cli.engine_choice import engines_of
from realtime_cli.cli.engine_table import show_engines
from realtime_cli.cli.fetch import fetch_visibly
from realtime_cli.cli.printing import tell, tell_traceback
from realtime_cli.errors import INTERRUPTED_EXIT_CODE, ConfigError, InputError
from realtime_cli.printable import json_line
from realtime_cli.server.core.core import SessionPlan
from realtime_cli.server.engines.optional_packages import INSTALL, require_parts
from realtime_cli.server.engines.weight_sets import SMART_TURN
from realtime_cli.server.local_server import load_server
from realtime_cli.server.socket.admission import Limits, Policy
from realtime_cli.server.socket.client_secrets import KeyMaker
from realtime_cli.server.socket.http_routes import Site
from realtime_cli.server.webrtc.calls import Calls
from realtime_cli.settings.settings import SERVE_TOKEN, Environment, Settings

SHORTEST_TOKEN = 16
"""Characters; shorter ones can be guessed."""

CLOSING_S = 0.6
"""For sessions to be told that the server goes, and then again for the engines to stop."""


def run(  # noqa: PLR0913 -- a server has this many sides
    settings: Settings,
    environment: Environment,
    *,
    list_engines: bool,
    host: str,
    port: int,
    token_file: Path | None,
    max_sessions: int,
    session_minutes: float,
    idle_minutes: float,
    allow_origin: list[str] | None,
) -> int:
    """Serve until Ctrl-C or SIGTERM. Blocks. Raises InputError and ConfigError."""
    if list_engines:
        show_engines(as_json=settings.json)
        return 0
    limits = _limits(max_sessions, session_minutes, idle_minutes)
    token = _token(token_file, environment)
    family, address = _address(host, port)
    if token is None and not ipaddress.ip_address(address).is_loopback:
        raise ConfigError(
            f"{host} can be reached from other machines, and no token is set",
            f"put one of {SHORTEST_TOKEN} characters or more into a file for --token-file, or into {SERVE_TOKEN}",
        )
    require_parts()
    engines = engines_of(settings, environment)
    site = Site(
        policy=Policy(token, KeyMaker(token), tuple(allow_origin or ())),
        models=(SessionPlan().model,),
        started_at=int(time.time()),
        limits=limits,
    )
    tell_failures(debug=settings.debug)
    # It was turned off for the start (:mod:`realtime_cli.__main__`), and a server runs for weeks.
    gc.enable()
    server = listen(site, (family, address, port), teller(settings))
    try:
        for line in fetch_visibly((*engines.weights(), SMART_TURN)):
            tell(line)
        voice = load_server(tell, choice=engines)
        calls = Calls(server, voice)
        server.routes = {**server.routes, **calls.routes}
        try:
            with stopped_by_signals() as stopped:
                server.start(voice)
                _introduce(settings, host, server.port, limits, token)
                code = stopped()
            server.close(CLOSING_S)
        finally:
            calls.close(CLOSING_S)
            voice.close(CLOSING_S)
    finally:
        server.close(0.0)
    return code


def listen(site: Site, address: tuple[socket.AddressFamily, str, int], on_session: Callable[[str], None]) -> Any:
    """The listening socket. Raises ConfigError, also without the optional package that speaks WebSocket."""
    try:
        from realtime_cli.server.socket.socket_server import SocketServer
    except ModuleNotFoundError as error:
        if error.name != "websockets":
            raise
        raise ConfigError("serve needs the package websockets, which is missing", INSTALL) from None
    return SocketServer(site, address, on_session=on_session)


def tell_failures(*, debug: bool) -> None:
    """Let the owner read what a client is not told: why a job of the engines failed, with its traceback for --debug."""

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            tell(f"{record.getMessage()} ({type(error).__name__}: {error})" if error else record.getMessage())
            if debug and error is not None:
                tell_traceback(error)

    log = logging.getLogger("realtime_cli.server")
    log.addHandler(Teller())
    log.setLevel(logging.DEBUG)
    log.propagate = False


def _limits(sessions: int, session_minutes: float, idle_minutes: float) -> Limits:
    for flag, value in (("--session-minutes", session_minutes), ("--idle-minutes", idle_minutes)):
        if not value > 0:
            raise InputError(f"{flag}: {value:g} is not more than 0")
    if sessions < 1:
        raise InputError(f"--max-sessions: {sessions} is not 1 or more")
    return Limits(sessions, session_minutes, idle_minutes)


def _token(file: Path | None, environment: Environment) -> str | None:
    """The key that clients have to bring. Raises InputError."""
    token, where = environment.get(SERVE_TOKEN), SERVE_TOKEN
    if file is not None:
        where = f"--token-file {file}"
        try:
            token = file.expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", "") or "not UTF-8"
            raise InputError(f"--token-file: cannot read {file}", reason) from error
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isprintable() or " " in token):
        raise InputError(
            f"{where}: a token is one word of {SHORTEST_TOKEN} characters or more", "openssl rand -hex 32 makes one"
        )
    return token


def _address(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    """Where to listen. Raises InputError."""
    if not 0 <= port <= 65_535:
        raise InputError(f"--port: {port} is not in 0 to 65535")
    try:
        family, _kind, _proto, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError(f"--host: {host} is no address of this machine", error.strerror or "") from error
    return family, str(address[0])


def teller(settings: Settings) -> Callable[[str], None]:
    if settings.json:
        return lambda line: print_json("notice", text=line)
    return tell


def _introduce(settings: Settings, host: str, port: int, limits: Limits, token: str | None) -> None:
    """Where the server is, and how clients find it."""
    reached = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 -- a comparison
    place = f"[{reached}]:{port}" if ":" in reached else f"{reached}:{port}"
    base_url, websocket_url = f"http://{place}/v1", f"ws://{place}/v1"
    if settings.json:
        print_json(
            "listening",
            base_url=base_url,
            websocket_url=f"{websocket_url}/realtime",
            port=port,
            needs_token=token is not None,
            max_sessions=limits.sessions,
            session_minutes=limits.session_minutes,
            idle_minutes=limits.idle_minutes,
        )
        return
    key, before = ("your token", "OPENAI_API_KEY=… ") if token else ("none", "")
    sessions = "1 session" if limits.sessions == 1 else f"{limits.sessions} sessions"
    sys.stdout.write(
        f"listening at {base_url} for {sessions} of {limits.session_minutes:g} minutes; Ctrl-C ends\n"
        f'  OpenAI SDK    OpenAI(base_url="{base_url}", api_key="{key}")\n'
        f"  this program  {before}realtime-cli chat --base-url {websocket_url}\n"
    )
    sys.stdout.flush()


def print_json(kind: str, **fields: Any) -> None:
    sys.stdout.write(json_line({"type": kind, **fields}) + "\n")
    sys.stdout.flush()


@contextmanager
def stopped_by_signals() -> Iterator[Callable[[], int]]:
    """Gives what blocks until Ctrl-C or SIGTERM comes, and returns the exit code. Main thread."""
    came = threading.Event()
    code = 0

    def note(signum: int, _frame: FrameType | None) -> None:
        nonlocal code
        code = INTERRUPTED_EXIT_CODE if signum == signal.SIGINT else 0
        came.set()

    def wait() -> int:
        # In turns: on Windows a wait without end is not interrupted by Ctrl-C.
        while not came.wait(0.5):
            pass
        return code

    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wait
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
