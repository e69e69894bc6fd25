"""The program's folders are where the system keeps such files."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_cli.settings.folders import cache_folder, config_folder, data_folder

HOME = Path.home()


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/x"}, Path("/x/realtime-cli")),
        ("linux", {}, HOME / ".config" / "realtime-cli"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, HOME / "Library" / "Application Support" / "realtime-cli"),
        ("win32", {"APPDATA": "/roaming"}, Path("/roaming/realtime-cli")),
        ("win32", {}, HOME / "AppData" / "Roaming" / "realtime-cli"),
        ("linux", {"XDG_CONFIG_HOME": "/x", "REALTIME_CLI_CONFIG_DIR": "/y"}, Path("/y")),
    ],
)
def test_the_config_file_is_in_the_platforms_own_place(
    platform: str, environment: dict[str, str], folder: Path
) -> None:
    assert config_folder(environment, platform) == folder


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"HOME": "/h"}, "/h/.local/share/realtime-cli"),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/realtime-cli"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/realtime-cli"),
        ("win32", {"HOME": "/h", "LOCALAPPDATA": "/local"}, "/local/realtime-cli"),
        ("linux", {"REALTIME_CLI_DATA_DIR": "/mine", "XDG_DATA_HOME": "/d"}, "/mine"),
    ],
)
def test_conversations_are_in_the_systems_place_for_data(
    platform: str, environment: dict[str, str], folder: str
) -> None:
    assert data_folder(environment, platform) == Path(folder)


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"REALTIME_CLI_CACHE_DIR": "/somewhere"}, Path("/somewhere")),
        ("linux", {"XDG_CACHE_HOME": "/caches"}, Path("/caches/realtime-cli")),
        ("linux", {}, HOME / ".cache" / "realtime-cli"),
        ("darwin", {"XDG_CACHE_HOME": "/caches"}, HOME / "Library" / "Caches" / "realtime-cli"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/realtime-cli/Cache")),
        ("win32", {}, HOME / "AppData" / "Local" / "realtime-cli" / "Cache"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(platform: str, environment: dict[str, str], folder: Path) -> None:
    assert cache_folder(environment, platform) == folder


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"])
def test_a_relative_path_in_an_xdg_variable_is_ignored_as_the_specification_demands(variable: str) -> None:
    for folder in (config_folder, data_folder, cache_folder):
        assert folder({"HOME": "/h", variable: "here"}, "linux") == folder({"HOME": "/h"}, "linux")
