"""MCP servers that the config file describes, and the keys they get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime_cli.tools.mcp_targets import split_command
from tests.mcp_serving import COMMAND, served
from tests.running import KEY, run
from tests.scripted_server import ScriptedServer
from tests.tool_scripts import Call, calling, outputs


def described(folder: Path, text: str) -> dict[str, str]:
    """A config file, as variables of the environment."""
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return {"REALTIME_CLI_CONFIG_DIR": str(folder)}


def test_a_server_behind_a_key_gets_the_one_of_its_variable(tmp_path: Path) -> None:
    with served(MCP_SERVER_KEY=KEY) as url, ScriptedServer(calling(Call("forecast", {"city": "Oslo"}))) as server:
        file = described(tmp_path, f'[mcp.weather]\nurl = "{url}"\nkey_variable = "WEATHER_TOKEN"')
        arguments = ("--mcp", "weather", "--confirm-tools", "never", "--base-url", server.url, "--debug")
        done = run("say", "hi", *arguments, **file, WEATHER_TOKEN=KEY)
        assert done.returncode == 0, done.stderr
        assert outputs(server) == ["Oslo: 1 days of rain"]
        refused = run("say", "hi", *arguments, **file, WEATHER_TOKEN="another")
    assert (refused.returncode, "--mcp weather: it did not start" in refused.stderr) == (2, True)
    assert KEY not in done.stdout + done.stderr


def test_a_server_that_repeats_its_key_does_not_tell_the_model(tmp_path: Path) -> None:
    with served(MCP_SERVER_KEY=KEY) as url, ScriptedServer(calling(Call("forecast", {"city": KEY}))) as server:
        file = described(tmp_path, f'[mcp.weather]\nurl = "{url}"\nkey_variable = "WEATHER_TOKEN"')
        arguments = ("--mcp", "weather", "--confirm-tools", "never", "--base-url", server.url)
        run("say", "hi", *arguments, **file, WEATHER_TOKEN=KEY).check_returncode()
    assert outputs(server) == ["[hidden]: 1 days of rain"]


def test_a_command_gets_the_variables_it_asks_for_from_env_files_too_and_no_others(tmp_path: Path) -> None:
    file = described(tmp_path, f"[mcp.notes]\ncommand = '{COMMAND}'\nvariables = [\"NOTES_TOKEN\"]")
    (tmp_path / ".env").write_text(f"NOTES_TOKEN={KEY}\nOTHER_TOKEN={KEY}\n")
    calls = (Call("variable", {"name": "NOTES_TOKEN"}), Call("variable", {"name": "OTHER_TOKEN"}))
    with ScriptedServer(calling(calls)) as server:
        arguments = ("--mcp", "notes", "--confirm-tools", "never", "--base-url", server.url)
        done = run("say", "hi", *arguments, **file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(outputs(server)) == ["not set", KEY]


def test_the_models_side_is_told_the_url_and_the_key(tmp_path: Path) -> None:
    text = '[mcp.tickets]\nurl = "https://example.org/mcp"\nkey_variable = "TICKETS_TOKEN"'
    with ScriptedServer(calling()) as server:
        arguments = ("--remote-mcp", "tickets", "--base-url", server.url, "--debug")
        done = run("say", "hi", *arguments, **described(tmp_path, text), TICKETS_TOKEN=KEY)
    assert done.returncode == 0, done.stderr
    assert server.of_type("session.update")[0]["session"]["tools"] == [
        {
            "type": "mcp",
            "server_label": "tickets",
            "server_url": "https://example.org/mcp",
            "authorization": KEY,
            "require_approval": "always",
        }
    ]
    assert KEY not in done.stdout + done.stderr


def test_config_show_names_them(tmp_path: Path) -> None:
    file = described(tmp_path, '[mcp.b]\nurl = "https://example.org"\n[mcp.a]\ncommand = "uvx a"')
    assert json.loads(run("config", "show", "--json", **file).stdout.splitlines()[0])["mcp"] == ["a", "b"]
    assert "its MCP servers: a, b" in run("config", "show", **file).stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mcp.x]", "must say either a command or a URL"),
        ('[mcp.x]\nurl = "https://h"\ncommand = "c"', "must say either a command or a URL"),
        ('[mcp.x]\nurl = "h"', "write https://"),
        ("[mcp.x]\nurl = 3", "url in [mcp.x] is not usable"),
        ('[mcp.x]\nurl = "https://"', "no host"),
        ('[mcp.x]\ncommand = "\'"', "quotes"),
        ('[mcp.x]\nuri = "https://h"', "did you mean url?"),
        ('[mcp.x]\nurl = "https://h"\ntoken = "t0p"', "secrets belong into the environment"),
        ('[mcp.x]\nurl = "https://h"\nkey_variable = "X_TOKEN"', "X_TOKEN is not set"),
        ('[mcp.x]\ncommand = "c"\nvariables = ["X_TOKEN"]', "X_TOKEN is not set"),
        ('[mcp.x]\ncommand = "c"\nkey_variable = "X_TOKEN"', "does not go with a command"),
        ('[mcp.x]\nurl = "http://h"\nkey_variable = "X_TOKEN"', "unencrypted"),
        ('[mcp.x]\nurl = "https://h"\nvariables = ["X_TOKEN"]', "does not go with a url"),
    ],
)
def test_a_description_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    done = run("say", "hi", "--mcp", "x", "--base-url", "127.0.0.1:9", **described(tmp_path, text))
    assert (done.returncode, done.stderr.count("\n")) == (2 if words in ("no host", "quotes") else 3, 1), done.stderr
    assert words in done.stderr
    assert "t0p" not in done.stderr


def test_a_command_is_none_that_the_models_side_could_reach(tmp_path: Path) -> None:
    file = described(tmp_path, '[mcp.x]\ncommand = "uvx x"')
    done = run("say", "hi", "--remote-mcp", "x", "--base-url", "127.0.0.1:9", **file)
    assert (done.returncode, done.stderr) == (
        2,
        "realtime-cli: --remote-mcp x: the model's side can start no command: use --mcp\n",
    )


@pytest.mark.parametrize(
    ("command", "windows", "words"),
    [
        (
            r""" "C:\Program Files\py\python.exe" "C:\my files\server.py" --it's """,
            True,
            [r"C:\Program Files\py\python.exe", r"C:\my files\server.py", "--it's"],
        ),
        (r"C:\python.exe -m server", True, [r"C:\python.exe", "-m", "server"]),
        (
            "'/opt/my tools/server' --name \"a b\" c\\ d #1",
            False,
            ["/opt/my tools/server", "--name", "a b", "c d", "#1"],
        ),
    ],
)
def test_a_command_is_split_as_the_systems_shell_would(command: str, windows: bool, words: list[str]) -> None:
    assert split_command(command, windows=windows) == words
