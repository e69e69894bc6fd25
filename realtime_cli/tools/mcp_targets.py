"""Which MCP server is meant: a command, a URL, or one that the config file describes under ``[mcp.NAME]``.

Only there can a server be given a key, by the name of its variable: on a command line it would be in the process list.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from realtime_cli.errors import ConfigError, InputError
from realtime_cli.providers.endpoint import is_private

if TYPE_CHECKING:
    from realtime_cli.settings.config_file import Table
    from realtime_cli.settings.settings import Environment


class McpTarget(msgspec.Struct, frozen=True):
    """Where a server is: a command to start, or a URL."""

    label: str
    """A short name, in which no secret of a URL's query or a command's arguments can be."""
    command: tuple[str, ...] = ()
    url: str = ""
    key: str = ""
    """Sent to the URL as a bearer token."""
    variables: Mapping[str, str] = {}
    """What the command gets of the environment, beside what every program needs. May hold secrets."""


class _Described(msgspec.Struct, frozen=True):
    """What a table may say."""

    command: str = ""
    url: str = ""
    key_variable: str = ""
    variables: tuple[str, ...] = ()


def mcp_target(said: str, environment: Environment) -> McpTarget:
    """The server that ``--mcp`` names. Raises InputError, and ConfigError for one of the config file."""
    table = environment.file.mcp.get(said)
    if table is None:
        return _target(said if _is_url(said) else "", "" if _is_url(said) else said)
    described = _described(table)
    given = {name: _variable(name, table, environment) for name in described.variables}
    key = _variable(described.key_variable, table, environment) if described.key_variable else ""
    target = _target(described.url, described.command)
    return msgspec.structs.replace(target, label=said, key=key, variables=given)


def remote_mcp(said: str, environment: Environment) -> dict[str, Any]:
    """What the model's side is told of a server that it reaches by itself. Raises InputError and ConfigError."""
    if said in environment.file.mcp:
        target = mcp_target(said, environment)
        if not target.url:
            raise InputError(f"--remote-mcp {said}: the model's side can start no command", "use --mcp")
        authorization = {"authorization": target.key} if target.key else {}
        return {"type": "mcp", "server_label": said, "server_url": target.url, **authorization}
    label, _, url = said.partition("=")
    if not (re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", label) and _is_url(url) and _host(url)):
        raise InputError(
            "--remote-mcp needs LABEL=URL, or a name from the config file",
            "such as --remote-mcp docs=https://example.org/mcp",
        )
    return {"type": "mcp", "server_label": label, "server_url": url}


def _described(table: Table) -> _Described:
    table.check_names(_Described.__struct_fields__)
    described = table.filled(_Described)
    if bool(described.command) == bool(described.url):
        raise ConfigError(f"{table.path}: {table.label} must say either a command or a URL", "write one of them")
    if described.url and not _is_url(described.url):
        raise ConfigError(f"{table.path}: url in {table.label} is not usable", "write https://…")
    name, other = ("variables", "url") if described.url else ("key_variable", "command")
    if getattr(described, name):
        raise ConfigError(
            f"{table.path}: {name} in {table.label} does not go with a {other}",
            "a url takes key_variable, a command takes variables",
        )
    if described.key_variable and not is_private(described.url):
        raise ConfigError(
            f"{table.path}: the key of {table.label} would cross the network unencrypted", "use a URL with https://"
        )
    return described


def _variable(name: str, table: Table, environment: Environment) -> str:
    if name not in environment:
        raise ConfigError(
            f"{name} is not set, and {table.label} of {table.path} asks for it", "set it in the environment or in .env"
        )
    return environment[name]


def _target(url: str, command: str) -> McpTarget:
    if url:
        host = _host(url)
        if not host:
            raise InputError("--mcp: the URL has no host", "such as --mcp https://example.org/mcp")
        return McpTarget(host, url=url)
    try:
        words = split_command(command)
    except ValueError as error:
        raise InputError(f"--mcp: the command cannot be read: {error}", "check its quotes") from error
    if not words:
        raise InputError("--mcp: there is neither a command nor a URL", 'such as --mcp "uvx mcp-server-time"')
    return McpTarget(PurePath(words[0]).stem, command=tuple(words))


def split_command(command: str, *, windows: bool = os.name == "nt") -> list[str]:
    r"""The words of a command, as a shell would see them. Raises ValueError for an open quote.

    On Windows a backslash is part of a path and only ``"`` quotes: ``"C:\Program Files\x.exe" --flag``.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if windows:
        lexer.escape = ""
        lexer.quotes = '"'
    return list(lexer)


def _is_url(said: str) -> bool:
    return said.startswith(("http://", "https://"))


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
