"""``realtime-cli web``: the same conversation in a browser, with the embedded server or a remote one."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec

from msgspec.structs import replace

from realtime_cli.cli.fetch import fetch_visibly
from realtime_cli.cli.page_sessions import MakeSide, PageSessions
from realtime_cli.cli.printing import tell
from realtime_cli.cli.serve import CLOSING_S, listen, print_json, stopped_by_signals, tell_failures
from realtime_cli.cli.tool_options import Prints
from realtime_cli.cli.which_server import Server, find_server
from realtime_cli.errors import ConfigError, InputError
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.error_codes import Key, Target
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.server.core.core import SessionPlan
from realtime_cli.server.local_server import LocalServer, load_server
from realtime_cli.server.socket.admission import Limits, Policy
from realtime_cli.server.socket.client_secrets import KeyMaker
from realtime_cli.server.socket.http_routes import Site
from realtime_cli.server.webrtc.calls import INSTALL, Calls
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.transport.loopback import LoopbackTransport
from realtime_cli.web.page_calls import PageCalls
from realtime_cli.web.site import page_routes

SESSIONS = 4
"""Pages that talk at a time."""

PAGES_CLOSING_S = 1.4
"""How long pages may take to learn of the end and leave their calls: a moment, but for one that stands still. All ends
within two seconds."""


def run(settings: Settings, environment: Environment, *, port: int, no_open: bool, resume: str | None) -> int:
    """Serve the page until Ctrl-C or SIGTERM. Blocks. Raises InputError, ConfigError and ConnectionFailed."""
    if not 0 <= port <= 65_535:
        raise InputError(f"--port: {port} is not in 0 to 65535")
    if settings.vad == "off":
        raise InputError("--vad off leaves nobody to end your turns", "leave it out")
    # A terminal's own ways with turns, which the page leaves to the server, however they are set for chats.
    settings = replace(settings, ptt=False, interruptions="always", auto_response=True, side_channel=(), max_turns=None)
    found = find_server(settings, environment)
    settings = found.careful(settings)
    for notice in found.notices:
        tell(notice)
    if found.place is None and find_spec("aiortc") is None:
        raise ConfigError("a call with the embedded server needs aiortc, which is missing", INSTALL)
    if found.dialect is Dialect.XAI:
        raise InputError(f"{found.provider.title} takes no calls by WebRTC", "talk in the terminal: realtime-cli chat")
    token, own_key = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
    site = Site(Policy(own_key, KeyMaker(own_key)), (SessionPlan().model,), int(time.time()), Limits(SESSIONS))
    tell_failures(debug=settings.debug)
    # It was turned off for the start (:mod:`realtime_cli.__main__`), and a page may stay open for days.
    gc.enable()
    server = listen(site, (socket.AF_INET, "127.0.0.1", port), lambda _line: None)
    try:
        place = found.place or _own_place(server.port, own_key)
        sessions = PageSessions(settings, environment, found, place, resume=resume)
        for hint in sessions.hints:
            tell(hint)
        pages = PageCalls(sessions.call, tell)
        with _voice(found) as voice:
            calls = Calls(server, voice) if voice else None
            if calls:
                sessions.make_side = _joining(calls)
            server.routes = {**(calls.routes if calls else {}), **server.routes, **page_routes(token, pages)}
            with stopped_by_signals() as stopped:
                server.start(voice)
                _introduce(settings, f"http://127.0.0.1:{server.port}/{token}/", open_it=not no_open)
                # What functions print is for whoever sits at the terminal.
                with redirect_stdout(Prints(tell)):
                    code = stopped()
            pages.close(PAGES_CLOSING_S)
            server.close(CLOSING_S)
            if calls:
                calls.close(CLOSING_S)
    finally:
        server.close(0.0)
    return code


def _own_place(port: int, key: str) -> Endpoint:
    """Where this process takes calls itself."""
    where, model = f"ws://127.0.0.1:{port}/v1/realtime", SessionPlan().model
    return Endpoint(
        where=where,
        url=where,
        headers={"Authorization": f"Bearer {key}"},
        key=key,
        target=Target(where, Key(), model),
        dialect=Dialect.GA,
        model=model,
    )


def _joining(calls: Calls) -> MakeSide:
    """How calls that this process takes are joined: without the network."""
    return lambda call_id: LoopbackTransport(lambda _note, _stopped: calls.joining(call_id), tell)


@contextmanager
def _voice(found: Server) -> Iterator[LocalServer | None]:
    """The embedded server, if it is that."""
    if found.engines is None:
        yield None
        return
    for line in fetch_visibly(found.engines.weights()):
        tell(line)
    voice = load_server(tell, choice=found.engines)
    try:
        yield voice
    finally:
        voice.close(CLOSING_S)


def _introduce(settings: Settings, address: str, *, open_it: bool) -> None:
    """Say where the page is, and open it where there is a screen: a browser in this terminal has no microphone."""
    if settings.json:
        print_json("listening", url=address)
    else:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        tell("whoever has this address can talk with your key and your machine; Ctrl-C ends")
    has_screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if open_it and has_screen and not webbrowser.open(address):
        tell("no browser was found: open the address yourself")
