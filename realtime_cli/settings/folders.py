"""Which folders the program has: for its configuration, its data and its cache.

They are the system's places for these: those of the XDG Base Directory Specification
(https://specifications.freedesktop.org/basedir-spec/latest/), of Apple's File System Programming Guide, and Windows'
known folders. A variable of the program's own goes before each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

CACHE_DIR = "REALTIME_CLI_CACHE_DIR"
CONFIG_DIR = "REALTIME_CLI_CONFIG_DIR"
DATA_DIR = "REALTIME_CLI_DATA_DIR"


class _Places(NamedTuple):
    """Where one kind of files is kept, by system: the variable that says it, and where it is below home without it."""

    own: str
    xdg: tuple[str, str]
    macos: str
    windows: tuple[str, str]
    windows_below: str = ""


_CONFIG = _Places(
    CONFIG_DIR, ("XDG_CONFIG_HOME", ".config"), "Library/Application Support", ("APPDATA", "AppData/Roaming")
)
_DATA = _Places(
    DATA_DIR, ("XDG_DATA_HOME", ".local/share"), "Library/Application Support", ("LOCALAPPDATA", "AppData/Local")
)
_CACHE = _Places(
    CACHE_DIR, ("XDG_CACHE_HOME", ".cache"), "Library/Caches", ("LOCALAPPDATA", "AppData/Local"), windows_below="Cache"
)


def config_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where ``config.toml`` is, if there is one."""
    return _folder(_CONFIG, environment, platform)


def data_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where the program keeps what must not be lost."""
    return _folder(_DATA, environment, platform)


def cache_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where the program keeps what it can fetch again."""
    return _folder(_CACHE, environment, platform)


def _folder(places: _Places, environment: Mapping[str, str], platform: str) -> Path:
    if chosen := environment.get(places.own):
        return Path(chosen)
    if platform == "darwin":
        return _home(environment) / places.macos / "realtime-cli"
    if platform == "win32":
        variable, below_home = places.windows
        return Path(environment.get(variable) or _home({}) / below_home, "realtime-cli", places.windows_below)
    variable, below_home = places.xdg
    # "If an implementation encounters a relative path … it should consider the path invalid and ignore it."
    named = Path(environment.get(variable) or "")
    return (named if named.is_absolute() else _home(environment) / below_home) / "realtime-cli"


def _home(environment: Mapping[str, str]) -> Path:
    if home := environment.get("HOME"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        # A user without a home, as in some containers.
        return Path(os.sep)
