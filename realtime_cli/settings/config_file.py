"""The user's own file, ``config.toml``: defaults, profiles for people, and providers that this program does not know.

::

    [defaults]
    stats = true

    [profiles.work]
    provider = "azure"
    voice = "marin"

    [providers.mine]
    base_url = "wss://voice.example.org/v1"

    [mcp.tickets]
    url = "https://tickets.example.org/mcp"
    key_variable = "TICKETS_TOKEN"

    [trust]
    folders = ["~/src/mine"]

It holds no secrets: they come from the environment or ``.env`` only, and a name that looks like one's is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from realtime_cli.errors import ConfigError
from realtime_cli.ownership import read_own

T = TypeVar("T")

FILE_NAME = "config.toml"
SECTIONS = ("defaults", "profiles", "providers", "mcp", "prices", "trust")
SECRET_ENDINGS = ("key", "secret", "token", "password")
NO_SECRETS = ("ptt_key",)
"""Settings that end so all the same: this is one on the keyboard."""


class Table(msgspec.Struct, frozen=True):
    """One table of the file: ``label`` is its head, such as ``[profiles.work]``, and names are spelt with ``_``."""

    label: str
    path: Path
    values: Mapping[str, Any]

    def place_of(self, name: str) -> str:
        """Where the value is, for messages."""
        return f"{name} in {self.label} of {self.path}"

    def check_names(self, known: Iterable[str]) -> None:
        """Raise ConfigError for a name that is none of ``known``."""
        for name in self.values:
            if name not in known:
                raise ConfigError(f"{self.path}: {self.label} has an unknown name, {name}", did_you_mean(name, known))

    def filled(self, kind: type[T], choices: Mapping[str, str] = MappingProxyType({}), **more: Any) -> T:
        """A struct of what the table says, and ``more``, which goes before it.

        ``choices``: the remedy for a field in which the library would only repeat what is wrong. Raises ConfigError.
        """
        try:
            return msgspec.convert({**self.values, **more}, kind)
        except msgspec.ValidationError as error:
            problem, _, field = str(error).replace("`", "").partition(" - at $.")
            raise ConfigError(
                f"{self.path}: {field} in {self.label} is not usable", choices.get(field, problem)
            ) from None


class ConfigFile(msgspec.Struct, frozen=True):
    """What the file says; nothing where there is none."""

    path: Path | None = None
    defaults: Table | None = None
    profiles: Mapping[str, Table] = {}
    providers: Mapping[str, Table] = {}
    mcp: Mapping[str, Table] = {}
    prices: Mapping[str, Table] = {}
    trusted_folders: tuple[Path, ...] = ()
    """Whose ``.env`` counts like the environment."""

    def layers(self, profile: str | None) -> tuple[Table, ...]:
        """The tables that count, the nearer first. Raises ConfigError for a profile that there is not."""
        if profile is not None and profile not in self.profiles:
            known = f"choose one of {', '.join(sorted(self.profiles))}" if self.profiles else ""
            raise ConfigError(
                f"there is no profile {profile!r} in {self.path}", known or f"write it there: [profiles.{profile}]"
            )
        chosen = (self.profiles[profile],) if profile is not None else ()
        return (*chosen, *((self.defaults,) if self.defaults else ()))


def read_config_file(path: Path) -> ConfigFile:
    """The file at ``path``, which need not be there. Raises ConfigError for one that cannot be used, in one line.

    Raises NotOurs for one that another user may have written. Blocks for the disk.
    """
    try:
        data = read_own(path)
    except (FileNotFoundError, NotADirectoryError):
        return ConfigFile(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}", error.strerror or str(error)) from error
    content = _parse(path, data)
    for name, value in content.items():
        if name not in SECTIONS and not isinstance(value, dict):
            raise ConfigError(f"{path}: {name} stands outside of all sections", "write [defaults] on a line above it")
        if name not in SECTIONS:
            raise ConfigError(f"{path}: there is no section [{name}]", did_you_mean(name, SECTIONS))
    defaults = _table(path, "[defaults]", content["defaults"]) if "defaults" in content else None
    named = {section: _tables(path, section, content) for section in ("profiles", "providers", "mcp", "prices")}
    return ConfigFile(path, defaults, **named, trusted_folders=_trusted(path, content.get("trust", {})))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy for a misspelt name: the nearest known one, or all of them where they are few."""
    from difflib import get_close_matches

    known = sorted(known)
    nearest = get_close_matches(name, known, n=1)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return f"known are {', '.join(known)}" if len(known) < 8 else "see --help for the names of the flags"


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} is not UTF-8 text (line {line})", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML", str(error)) from error


def _tables(path: Path, section: str, content: Mapping[str, Any]) -> dict[str, Table]:
    tables = content.get(section, {})
    _check_is_table(path, f"[{section}]", tables)
    return {name: _table(path, f"[{section}.{name}]", values) for name, values in tables.items()}


def _trusted(path: Path, values: Any) -> tuple[Path, ...]:
    table = _table(path, "[trust]", values)
    table.check_names(("folders",))
    folders = table.values.get("folders", [])
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise ConfigError(f"{path}: folders in [trust] is not usable", 'write folders = ["/a/folder"]')
    found = tuple(Path(folder).expanduser() for folder in folders)
    for folder in found:
        if not folder.is_absolute():
            raise ConfigError(f"{path}: {folder} in [trust] is no whole path", "begin it with / or ~")
    return found


def _table(path: Path, label: str, values: Any) -> Table:
    _check_is_table(path, label, values)
    named: dict[str, Any] = {}
    for spelt, value in values.items():
        name = spelt.replace("-", "_")
        if name in named:
            raise ConfigError(f"{path}: {label} says {name} twice, with - and with _", "leave one of them out")
        named[name] = value
    for name in named:
        if name.lower().endswith(SECRET_ENDINGS) and name not in NO_SECRETS:
            raise ConfigError(
                f"{path}: {label} holds a secret in {name}",
                "secrets belong into the environment or .env; name the variable with key_variable",
            )
    return Table(label, path, named)


def _check_is_table(path: Path, label: str, values: Any) -> None:
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: {label} must be a table", f"write {label} on a line of its own")
