"""``realtime-cli token``: a key for a browser, say, that is good for some minutes."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any

from realtime_cli.cli.conversation_options import session_options
from realtime_cli.cli.printing import tell
from realtime_cli.cli.which_server import find_server
from realtime_cli.errors import ConfigError, InputError
from realtime_cli.printable import json_line, one_line
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.session_body import session_update, transcription_session
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.providers.profiles import GENERAL_KEY, Provider
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.transport.client_secrets import MAX_EXPIRY_S, MIN_EXPIRY_S, mint


def run(settings: Settings, environment: Environment, *, transcription: bool, expires_in: int | None) -> int:
    """Mint and print. Blocks for the network. Raises InputError, ConfigError and ConnectionFailed."""
    if expires_in is not None and not MIN_EXPIRY_S <= expires_in <= MAX_EXPIRY_S:
        raise InputError(f"--expires-in: {expires_in} is not in {MIN_EXPIRY_S} to {MAX_EXPIRY_S} seconds")
    provider, place = _minting_place(settings, environment)
    secret = mint(place, _secret_session(settings, provider, place, transcription), expires_in)
    if settings.json:
        sys.stdout.write(json_line(secret.answer) + "\n")
    else:
        sys.stdout.write(f"{one_line(secret.value)}\n")
    if secret.expires_at is not None:
        tell(_expiry(secret.expires_at, time.time()))
    return 0


def _minting_place(settings: Settings, environment: Environment) -> tuple[Provider, Endpoint]:
    """Where secrets are minted. Raises errors of the configuration where they are not."""
    if settings.provider == "local":
        raise InputError("the embedded server has no keys", "name another with --provider or --base-url")
    server = find_server(settings, environment)
    provider, place = server.provider, server.place
    if place is None:
        raise ConfigError("there is no key to mint with", f"set {GENERAL_KEY} (in the environment or in .env)")
    if place.dialect is not Dialect.GA or not provider.mints_secrets:
        raise InputError(f"{provider.title} mints no client secrets of the GA interface", "name another server")
    for notice in server.notices:
        tell(notice)
    return provider, place


def _secret_session(
    settings: Settings, provider: Provider, place: Endpoint | None, transcription: bool
) -> dict[str, Any]:
    """The session that the secret is for; ``place`` is None for the embedded server."""
    wanted = session_options(settings, provider, "voice", spoken=True)
    dialect = place.dialect if place else Dialect.GA
    if transcription:
        return transcription_session(wanted, dialect)
    return session_update(wanted, dialect) | ({"model": place.model} if place and place.model else {})


def _expiry(expires_at: int, now: float) -> str:
    """When it expires, in local time, and in how many minutes that is."""
    when = datetime.fromtimestamp(expires_at, UTC).astimezone().isoformat(timespec="seconds")
    left_s = round(expires_at - now)
    return f"expires {when} (in {left_s // 60} min {left_s % 60:02} s)"
