"""Where exactly to connect, and with which headers: from a profile, the user's options and the environment.

A key is only ever in a header. It is sent encrypted, or to this machine, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from realtime_cli import __version__
from realtime_cli.errors import ConfigError, InputError
from realtime_cli.network import names_this_machine
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.error_codes import Key, KeyState, Target
from realtime_cli.providers.profiles import AZURE, GENERAL_KEY, OPENAI, Auth, Provider

Intent = Literal["conversation", "transcription"]

_SCHEMES: Mapping[str, str] = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_DEFAULT_PATH = "/v1/realtime"
_AZURE_GA_PATH = "/openai/v1"
_AZURE_PREVIEW_PATH = "/openai/realtime"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One place to connect to. Only ``where`` is fit to be shown."""

    where: str
    """The URL without its query."""
    url: str
    headers: Mapping[str, str]
    key: str
    """What must never be shown; empty when no key is sent."""
    target: Target
    """The same for messages about a refusal."""
    dialect: Dialect
    model: str
    notice: str = ""
    """Something the user should know before talking."""

    def __repr__(self) -> str:
        return f"Endpoint({self.where})"


def endpoint(
    provider: Provider,
    environment: Mapping[str, str],
    *,
    base_url: str | None = None,
    model: str | None = None,
    dialect: Dialect | None = None,
    intent: Intent = "conversation",
) -> Endpoint:
    """How to reach ``provider``; what the user says goes before the environment, and that before the profile.

    Raises InputError for a URL that is none, and ConfigError for what is missing or unusable in the environment.
    """
    base = base_url or environment.get(provider.base_url_variable, "") or provider.base_url
    if not base:
        variable = f"set {provider.base_url_variable} or " if provider.base_url_variable else ""
        raise ConfigError(f"no URL is known for {provider.title}", f"{variable}use --base-url")
    name = model or environment.get(provider.model_variable, "") or provider.model
    if provider.model_needed and not name:
        raise ConfigError(f"{provider.title} has no model of its own accord", "name one with --model")
    speaks = dialect or (Dialect.BETA if _azure_preview(provider, environment) else provider.dialect)
    where, url = _url(provider, base, _query(provider, name, intent, environment), environment)
    key, key_variable = _key(provider, environment)
    notice = ""
    state: KeyState = "sent" if key else "missing"
    if key and not is_private(where):
        if provider.key_needed:
            raise ConfigError(
                f"the key in {key_variable} would cross the network unencrypted to {where}", "use https:// or wss://"
            )
        notice = f"{where} is not encrypted: the key in {key_variable} is not sent"
        key, state = "", "withheld"
    headers = {"User-Agent": f"realtime-cli/{__version__}", **_credentials(provider, key, environment)}
    if speaks is Dialect.BETA and provider.beta_header:
        headers["OpenAI-Beta"] = "realtime=v1"
    return Endpoint(
        where=where,
        url=url,
        headers=headers,
        key=key,
        target=Target(where, Key(key_variable, state), name),
        dialect=speaks,
        model=name,
        notice=notice,
    )


def realtime_url(base_url: str) -> str:
    """The websocket URL of a base URL: ws, wss, http, https, or a bare ``host:port``, which means ws.

    ``/realtime`` is appended to the path (``/v1/realtime`` where there is none), as OpenAI's SDKs do, unless it is
    there. Raises InputError.
    """
    if not base_url.isprintable() or any(character.isspace() for character in base_url):
        raise InputError("the base URL has a blank or a control character in it", "check --base-url")
    try:
        parts = urlsplit(base_url if "://" in base_url else f"ws://{base_url}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"the base URL cannot be read ({error})", "write it like wss://host:port/v1") from None
    if parts.scheme not in _SCHEMES:
        raise InputError(f"the base URL begins with {parts.scheme}://", "use wss, ws, https or http")
    if parts.username is not None:
        raise InputError("the base URL has a user name in it", "keys come from the environment or .env only")
    if not host or parts.fragment:
        raise InputError("the base URL has no host, or a # in it", "write it like wss://host:port/v1")
    path = parts.path.rstrip("/")
    if not path.endswith("/realtime"):
        path = f"{path}/realtime" if path else _DEFAULT_PATH
    authority = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    return f"{_SCHEMES[parts.scheme]}://{authority}{path}" + (f"?{parts.query}" if parts.query else "")


def _url(provider: Provider, base: str, query: dict[str, str], environment: Mapping[str, str]) -> tuple[str, str]:
    """What to show, and what to connect to."""
    if provider is AZURE and not urlsplit(base).path.strip("/"):
        base = base.rstrip("/") + (_AZURE_PREVIEW_PATH if _azure_preview(provider, environment) else _AZURE_GA_PATH)
    where, _, given = realtime_url(base).partition("?")
    query = dict(parse_qsl(given)) | query
    return where, f"{where}?{urlencode(query)}" if query else where


def _query(provider: Provider, model: str, intent: Intent, environment: Mapping[str, str]) -> dict[str, str]:
    if _azure_preview(provider, environment):
        return {"api-version": environment["OPENAI_API_VERSION"], "deployment": model}
    if intent == "transcription" and provider is OPENAI:
        return {"intent": intent}  # OpenAI takes the model from the session then, and refuses one here
    query = {"model": model} if model else {}
    return query | ({"intent": intent} if provider.says_intent or intent == "transcription" else {})


def _azure_preview(provider: Provider, environment: Mapping[str, str]) -> bool:
    """Azure's preview versions speak the beta dialect under another path; its GA version has no api-version at all."""
    return provider is AZURE and environment.get("OPENAI_API_VERSION", "").endswith("-preview")


def _key(provider: Provider, environment: Mapping[str, str]) -> tuple[str, str]:
    """The key and the variable it came from."""
    variable = provider.key_variable
    key = _header_value(variable, environment) if variable else ""
    if provider.key_needed and not key:
        raise ConfigError(
            f"there is no key for {provider.title}", f"set {variable} in the environment or in .env, or use --local"
        )
    return key, variable


def _credentials(provider: Provider, key: str, environment: Mapping[str, str]) -> dict[str, str]:
    if not key:
        return {}
    headers = {"Authorization": f"Bearer {key}"} if provider.auth is Auth.BEARER else {"api-key": key}
    if provider.key_variable == GENERAL_KEY:
        named = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
        headers |= {name: value for name, variable in named.items() if (value := _header_value(variable, environment))}
    return headers


def _header_value(variable: str, environment: Mapping[str, str]) -> str:
    """The variable's value, which is never shown. Raises ConfigError when no header could carry it."""
    value = environment.get(variable, "")
    if any(not "!" <= character <= "~" for character in value):
        raise ConfigError(
            f"{variable} has a blank, a line break or another character that no key has",
            "copy it again, without quotes or blanks around it",
        )
    return value


def is_private(where: str) -> bool:
    """Whether nobody on the network can read what is sent: it is encrypted, or never leaves this machine."""
    parts = urlsplit(where)
    host = parts.hostname or ""
    return parts.scheme in ("wss", "https") or host.endswith(".localhost") or names_this_machine(host)


def is_loopback(base_url: str) -> bool:
    """Whether a base URL can only mean this machine, whatever a resolver says; False for what is no URL."""
    try:
        return names_this_machine(urlsplit(realtime_url(base_url)).hostname or "")
    except InputError:
        return False
