"""Tools of real MCP servers, over pipes and over HTTP, in whole turns of the program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.mcp_serving import COMMAND, served
from tests.running import KEY, environment, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.tool_scripts import EXAMPLE, Call, calling, outputs


@pytest.fixture
def url() -> Iterator[str]:
    """One for all."""
    with served() as address:
        yield address


@pytest.fixture(params=["stdio", "http"])
def target(request: pytest.FixtureRequest) -> str:
    """The same server, both ways."""
    return COMMAND if request.param == "stdio" else str(request.getfixturevalue("url"))


def test_the_tools_of_a_server_are_offered_and_called(target: str) -> None:
    calls = (Call("forecast", {"city": "Oslo", "days": 3}), Call("read_file", {"name": "a"}), Call("picture"))
    with ScriptedServer(calling(calls, reply="Rain.")) as server:
        arguments = ("--mcp", target, "--confirm-tools", "never", "--base-url", server.url)
        done = run("say", "weather?", *arguments)
    assert (done.returncode, done.stdout) == (0, "Rain.\n"), done.stderr
    offered = {tool["name"]: tool for tool in server.of_type("session.update")[0]["session"]["tools"]}
    assert list(offered) == ["forecast", "read_file", "picture", "fails", "dies", "never", "variable"]
    assert offered["forecast"]["description"] == "What the weather will be."
    assert offered["forecast"]["parameters"]["required"] == ["city"]
    assert sorted(outputs(server)) == [
        "Oslo: 3 days of rain",
        "[image, which cannot be passed on]",
        "a of the server\ntwo",
    ]


def test_a_server_that_dies_in_the_middle_of_a_call_is_a_result_and_its_other_tools_fail_too(target: str) -> None:
    with ScriptedServer(calling(Call("dies"), Call("forecast", {"city": "Oslo"}), reply="Gone.")) as server:
        arguments = ("--mcp", target, "--confirm-tools", "never", "--base-url", server.url, "--json")
        done = run("say", "weather?", *arguments)
    assert done.returncode == 0, done.stderr
    results = [line for line in lines_of(done) if line["type"] == "tool_result"]
    assert [result["failed"] for result in results] == [True, True]
    assert all("MCP server" in json.loads(output)["error"] for output in outputs(server))
    assert done.stderr == ""


def test_a_tool_that_fails_and_one_that_takes_too_long_are_results(target: str) -> None:
    with ScriptedServer(calling((Call("fails"), Call("never"), Call("forecast", "{")))) as server:
        arguments = ("--mcp", target, "--confirm-tools", "never", "--base-url", server.url, "--tool-timeout", "3")
        done = run("say", "weather?", *arguments)
    assert done.returncode == 0, done.stderr
    told = " ".join(outputs(server))
    for words in ("fails", "3 s", "no JSON"):
        assert words in told
    assert "Traceback" not in done.stderr


def test_names_that_are_taken_get_their_servers_name_in_front() -> None:
    with ScriptedServer(calling()) as server:
        arguments = ("--tools", EXAMPLE, "--mcp", COMMAND, "--mcp", COMMAND, "--base-url", server.url)
        done = run("say", "hi", *arguments)
    assert done.returncode == 0, done.stderr
    offered = [tool["name"] for tool in server.of_type("session.update")[0]["session"]["tools"]]
    assert len(set(offered)) == len(offered) == 3 + 7 + 7
    assert offered[3:5] == ["forecast", "python_read_file"]
    assert offered[10:12] == ["python_forecast", "python_2_read_file"]


def test_without_a_keyboard_the_tools_of_servers_do_not_run_unless_allowed() -> None:
    with ScriptedServer(calling(Call("forecast", {"city": "Oslo"}))) as server:
        done = run("say", "weather?", "--mcp", COMMAND, "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    assert "consent" in json.loads(outputs(server)[0])["error"]
    assert "--confirm-tools" in done.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://127.0.0.1:9/mcp", "127.0.0.1"),
        ("no-such-command-anywhere --x", "No such file"),
        (f"{sys.executable} -c 1/0", "ZeroDivisionError: division by zero"),
        (f"{sys.executable} -c print(3)", "did not start"),
        ("", "neither a command nor a URL"),
        ("'unbalanced", "quotes"),
        ("http://", "no host"),
        ("http://[", "no host"),
    ],
)
def test_a_server_that_does_not_start_is_one_line_and_exit_2(target: str, words: str) -> None:
    with ScriptedServer(calling()) as server:
        done = run("say", "hi", f"--mcp={target}", "--base-url", server.url)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "response.create" not in server.types


def test_secrets_of_commands_and_urls_are_not_shown() -> None:
    for target in (f"env TOKEN={KEY} no-such-command", f"http://user:{KEY}@127.0.0.1:9/mcp?key={KEY}"):
        done = run("say", "hi", "--mcp", target, "--base-url", "127.0.0.1:9")
        assert done.returncode in (2, 4)
        assert KEY not in done.stdout + done.stderr


def test_a_server_gets_no_key_of_ours() -> None:
    program = "import os; raise SystemExit(str(sorted(name for name in os.environ if 'KEY' in name)))"
    with ScriptedServer(calling()) as server:
        done = run(
            "say", "hi", "--mcp", f'{sys.executable} -c "{program}"', "--base-url", server.url, OPENAI_API_KEY=KEY
        )
    assert "did not start: []" in done.stderr


def test_without_the_optional_part_the_command_to_install_it_is_named() -> None:
    program = (
        "import sys, importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'mcp' else find(name, *rest)\n"
        "import realtime_cli.cli.main as m\n"
        "m.app(['say', 'hi', '--mcp', 'x', '--base-url', '127.0.0.1:9'])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 3
    assert b"pip install 'realtime-voice-cli[mcp]'" in done.stderr


@pytest.mark.parametrize(("confirm", "approval"), [("auto", "always"), ("never", "never")])
def test_a_server_that_the_models_side_reaches_is_passed_through(confirm: str, approval: str) -> None:
    with ScriptedServer(calling()) as server:
        arguments = ("--remote-mcp", "docs=https://example.org/mcp?a=b", "--confirm-tools", confirm)
        done = run("say", "hi", *arguments, "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    (tool,) = server.of_type("session.update")[0]["session"]["tools"]
    assert tool == {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://example.org/mcp?a=b",
        "require_approval": approval,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--remote-mcp", "https://example.org/mcp"],
        ["--remote-mcp", "docs=ftp://example.org"],
        ["--remote-mcp", "docs=https://"],
        ["--remote-mcp", "docs=https://example.org/mcp", "--dialect", "beta"],
    ],
)
def test_a_server_for_the_models_side_that_cannot_be_named_so_is_exit_2(arguments: list[str]) -> None:
    done = run("say", "hi", *arguments, "--base-url", "127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--remote-mcp" in done.stderr
