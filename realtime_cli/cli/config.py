"""``realtime-cli config``: what is set, and where it came from. Keys are never shown, only whether there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from realtime_cli.printable import json_line, neutralise
from realtime_cli.protocol.redaction import redact, redact_command, redact_url
from realtime_cli.providers.user import known_providers
from realtime_cli.settings.fields import fields
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.settings.sources import look_up

OTHER_VARIABLES = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_VERSION")
"""Those of OpenAI's own SDKs that belong to no provider's profile."""

SHOWN_CHARS = 60
"""As much of a value as a line has room for; ``--json`` has all of it."""


def show(settings: Settings, environment: Environment, *, flags: Mapping[str, Any]) -> int:
    """Print every setting, and the variables that are no settings; ``flags`` is what the command line says of them."""
    rows = [*_settings(flags, environment), *_variables(environment)]
    if settings.json:
        sys.stdout.writelines(f"{json_line(row)}\n" for row in (_file(environment), *rows))
    else:
        sys.stdout.writelines(f"{neutralise(line)}\n" for line in _table(_file(environment), rows))
    return 0


def _file(environment: Environment) -> dict[str, Any]:
    file = environment.file
    path = file.path
    return {
        "type": "file",
        "path": str(path),
        "exists": path is not None and path.exists(),
        "profiles": sorted(file.profiles),
        "providers": sorted(file.providers),
        "mcp": sorted(file.mcp),
        "dotenv": str(environment.dotenv_path) if environment.dotenv_path else None,
        "dotenv_trusted": environment.trusted,
    }


def _settings(flags: Mapping[str, Any], environment: Environment) -> Iterator[dict[str, Any]]:
    found = look_up(flags, environment)
    for field in fields():
        value = found[field.name].value
        if isinstance(value, tuple):
            hide = redact_command if field.name == "mcp" else redact_url
            value = [hide(each) for each in value]
        elif isinstance(value, str):
            value = redact_url(value) if field.name == "base_url" else redact(value)
        source, where = found[field.name].source, found[field.name].where
        yield {"type": "setting", "name": field.name, "value": value, "source": source, "where": where}


def _variables(environment: Environment) -> Iterator[dict[str, Any]]:
    """What only the environment says: of a key, whether it is set; of a place, which it is."""
    providers = known_providers(environment.file).values()
    places = {provider.base_url_variable for provider in providers} | {*OTHER_VARIABLES}
    for name in sorted({provider.key_variable for provider in providers} - {""}):
        yield {"type": "key", "name": name, "set": name in environment, **_origin(environment, name)}
    for name in sorted(places - {""}):
        value = redact_url(environment[name]) if name in environment else None
        yield {"type": "variable", "name": name, "value": value, **_origin(environment, name)}


def _origin(environment: Environment, name: str) -> dict[str, str | None]:
    if name not in environment:
        return {"source": None, "where": None}
    return {"source": ".env" if environment.in_dotenv(name) else "environment", "where": environment.origin(name)}


def _table(file: Mapping[str, Any], rows: list[dict[str, Any]]) -> Iterator[str]:
    yield f"config file: {file['path']}{'' if file['exists'] else ' (not there)'}"
    if file["dotenv"]:
        yield f".env: {file['dotenv']}{'' if file['dotenv_trusted'] else ' (keys, models, texts and tastes count)'}"
    for name, title in (("profiles", "profiles"), ("providers", "providers"), ("mcp", "MCP servers")):
        if file[name]:
            yield f"its {title}: {', '.join(file[name])}"
    cells = [(row["name"], _shown(row), row["where"] or "") for row in rows]
    first, second = (max(len(cell[column]) for cell in cells) for column in (0, 1))
    yield ""
    for name, value, where in cells:
        yield f"{name:<{first}}  {value:<{second}}  {where}".rstrip()


def _shown(row: Mapping[str, Any]) -> str:
    if row["type"] == "key":
        return "set" if row["set"] else "not set"
    value = row["value"]
    if isinstance(value, list):
        value = "; ".join(value)
    if value in (None, ""):
        return "-"
    text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"
