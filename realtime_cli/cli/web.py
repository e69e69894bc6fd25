"""``realtime-cli web``: the same conversation in a browser, with the embedded server or a remote one."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from msgspec.structs import replace

from realtime_cli.cli.engine_choice import engines_of
from realtime_cli.cli.fetch import fetch_visibly
from realtime_cli.cli.printing import tell
from realtime_cli.cli.saving import saving
from realtime_cli.cli.serve import CLOSING_S, listen, print_json, stopped_by_signals, tell_failures
from realtime_cli.cli.token import minting_place, secret_session
from realtime_cli.cli.which_server import find_provider
from realtime_cli.errors import ConfigError, InputError
from realtime_cli.journal.writer import Journal
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.providers.profiles import LOCAL, Provider
from realtime_cli.server.core.checks import Refusal
from realtime_cli.server.core.core import SessionPlan
from realtime_cli.server.local_server import LocalServer, load_server
from realtime_cli.server.socket.admission import Limits, Policy
from realtime_cli.server.socket.client_secrets import KeyMaker
from realtime_cli.server.socket.http_routes import Site
from realtime_cli.server.webrtc.calls import CALLS_PATH, INSTALL, Calls
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.transport.client_secrets import calls_url, mint
from realtime_cli.web.keeping import Keeping
from realtime_cli.web.site import CallPlace, origin_of, page_routes

SECRET_S = 60
"""How long a page may take from pressing the button to calling."""

SESSIONS = 4
"""Pages that talk at a time."""


def run(settings: Settings, environment: Environment, *, port: int, no_open: bool) -> int:
    """Serve the page until Ctrl-C or SIGTERM. Blocks. Raises InputError, ConfigError and ConnectionFailed."""
    if not 0 <= port <= 65_535:
        raise InputError(f"--port: {port} is not in 0 to 65535")
    if settings.vad == "off":
        raise InputError("--vad off leaves nobody to end your turns", "leave it out")
    if settings.budget is not None:
        tell("the page counts no cost: the budget is not heeded here")
    # A terminal's own ways with turns, which the page leaves to the server, however they are set for chats.
    settings = replace(settings, ptt=False, interruptions="always", auto_response=True)
    provider, notices = find_provider(settings, environment)
    for notice in notices:
        tell(notice)
    token, own_key = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
    limits = Limits(SESSIONS)
    keys = KeyMaker(own_key)
    site = Site(Policy(own_key, keys), (SessionPlan().model,), int(time.time()), limits)
    if provider is LOCAL:
        if find_spec("aiortc") is None:
            raise ConfigError("a call with the embedded server needs aiortc, which is missing", INSTALL)
        find_place, elsewhere = _local(settings, keys), None
    else:
        provider, place = minting_place(settings, environment)
        find_place, elsewhere = _remote(settings, provider, place), origin_of(calls_url(place))
    keeping = Keeping(provider.name, lambda: _journal(settings, environment, provider), tell)
    tell_failures(debug=settings.debug)
    # It was turned off for the start (:mod:`realtime_cli.__main__`), and a page may stay open for days.
    gc.enable()
    server = listen(site, (socket.AF_INET, "127.0.0.1", port), lambda _line: None)
    try:
        with _voice(settings, environment, wanted=provider is LOCAL) as voice:
            calls = Calls(server, voice) if voice else None
            routes = calls.routes if calls else {}
            server.routes = {**routes, **page_routes(token, find_place, elsewhere, keeping)}
            with stopped_by_signals() as stopped:
                server.start(voice)
                _introduce(settings, f"http://127.0.0.1:{server.port}/{token}/", open_it=not no_open)
                code = stopped()
            server.close(CLOSING_S)
            if calls:
                calls.close(CLOSING_S)
    finally:
        server.close(0.0)
        keeping.close()
    return code


def _journal(settings: Settings, environment: Environment, provider: Provider) -> Journal | None:
    """Where a page's conversation is saved, like any other."""
    model = settings.model or ""
    kept = saving(settings, environment, command="web", provider=provider.name, model=model, by_clock=True)
    for notice in kept.notices:
        tell(notice)
    return kept.make_journal(tell)


def _local(settings: Settings, keys: KeyMaker) -> Callable[[], CallPlace]:
    """Calls with this process."""
    model = SessionPlan().model

    def find_place() -> CallPlace:
        now = time.time()
        body = {
            "session": secret_session(settings, LOCAL, None, transcription=False),
            "expires_after": {"anchor": "created_at", "seconds": SECRET_S},
        }
        try:
            made = keys.mint(body, now, model)
        except Refusal as refusal:
            raise ConfigError(f"the embedded server does not take this session: {refusal.message}") from refusal
        return CallPlace(CALLS_PATH, made["value"], LOCAL.title, model)

    return find_place


def _remote(settings: Settings, provider: Provider, place: Endpoint) -> Callable[[], CallPlace]:
    """Calls with a server elsewhere, straight from the browser. The key that mints stays here."""

    def find_place() -> CallPlace:
        secret = mint(place, secret_session(settings, provider, place, transcription=False), SECRET_S)
        return CallPlace(calls_url(place), secret.value, provider.title, place.model or "")

    return find_place


@contextmanager
def _voice(settings: Settings, environment: Environment, *, wanted: bool) -> Iterator[LocalServer | None]:
    """The embedded server while it is needed."""
    if not wanted:
        yield None
        return
    engines = engines_of(settings, environment)
    for line in fetch_visibly(engines.weights()):
        tell(line)
    voice = load_server(tell, choice=engines)
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
