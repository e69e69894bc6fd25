"""Files of Python functions, and the toolbox that calls them, whatever goes wrong in them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import realtime_cli
from realtime_cli.cli.tool_options import NO_REMOTE_CALLS, toolbox_of
from realtime_cli.conversation.tool_definitions import ToolDefinition, ToolOutcome
from realtime_cli.providers.profiles import LOCAL
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.tools.functions import FunctionTool
from realtime_cli.tools.loading import load_tools
from realtime_cli.tools.toolbox import Confirm, Toolbox
from tests.running import environment, run
from tests.scripted_server import ScriptedServer
from tests.tool_scripts import calling, write


def names(tools: list[FunctionTool]) -> list[str]:
    return [tool.definition.name for tool in tools]


def test_public_functions_of_the_file_itself_are_offered(tmp_path: Path) -> None:
    text = "from os.path import join\nimport json\nclass A: pass\ndef one(): ...\n"
    text += "async def two(): ...\ndef _three(): ...\nalias = one\n"
    assert names(load_tools(write(tmp_path, text))) == ["one", "two"]


def test_where_some_are_marked_only_those_are_offered(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom realtime_cli import tool\n"
        "@tool\ndef _one(): ...\ndef two(): ...\n@tool(name='third', confirm=True)\nasync def three(): ...\n"
    )
    tools = load_tools(write(tmp_path, text))
    assert [(tool.definition.name, tool.definition.asks) for tool in tools] == [("_one", False), ("third", True)]


def test_a_file_of_tools_may_import_its_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path, "WORD = 'hello'\n", "neighbour_of_tools.py")
    (tool,) = load_tools(write(tmp_path, "import neighbour_of_tools as it\ndef say() -> str: return it.WORD\n"))
    assert tool.call("{}") == "hello"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n\n1 / 0\n", ":3: ZeroDivisionError: division by zero"),
        ("def f(:\n", ":1: SyntaxError"),
        ("import not_a_module_at_all\n", ":1: ModuleNotFoundError"),
        ("import sys\nsys.exit('no')\n", ":2: SystemExit: no"),
        ("def check(x):\n    raise ValueError(x)\n\ncheck(5)\n", ":2: ValueError: 5"),
        ("x = 1\n", "no function"),
        ("import socket\ndef f(s: socket.socket): ...\n", "f: no JSON schema for parameter 's'"),
        ("from realtime_cli import tool\n@tool\ndef f(*a): ...\n", "f: no JSON schema for parameter 'a'"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_with_its_place_and_exit_2(
    tmp_path: Path, text: str, words: str
) -> None:
    done = run("say", "hello", "--tools", write(tmp_path, text), "--base-url", "127.0.0.1:9")
    assert done.returncode == 2, done.stderr
    assert "my_tools.py" in done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_and_two_functions_of_one_name_are_exit_2(tmp_path: Path) -> None:
    missing = run("say", "hello", "--tools", "nowhere.py", "--base-url", "127.0.0.1:9")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "nowhere.py" in missing.stderr
    one, two = (write(tmp_path, "def look(): ...\n", name) for name in ("a.py", "b.py"))
    twice = run("say", "hello", "--tools", one, "--tools", two, "--base-url", "127.0.0.1:9")
    assert twice.returncode == 2
    assert "look" in twice.stderr


@contextmanager
def opened(box: Toolbox) -> Iterator[tuple[ToolDefinition, ...]]:
    """A toolbox in its own thread, as the session runs it."""
    definitions: list[tuple[ToolDefinition, ...]] = []
    ready, stopping = threading.Event(), threading.Event()

    def tell(found: tuple[ToolDefinition, ...]) -> None:
        definitions.append(found)
        ready.set()

    thread = threading.Thread(target=box.run, args=(tell, stopping))
    thread.start()
    assert ready.wait(60)
    try:
        yield definitions[0]
    finally:
        stopping.set()
        box.close()
        thread.join(60)
    assert not thread.is_alive()


def test_whatever_goes_wrong_in_a_function_is_an_outcome_that_says_what() -> None:
    def fails() -> None:
        raise KeyError("no such thing")

    def leaves() -> None:
        sys.exit(3)

    async def fails_later() -> None:
        raise OSError("gone")

    raised: list[BaseException] = []
    box = Toolbox([FunctionTool(it, "f.py") for it in (fails, leaves, fails_later)], on_error=raised.append)
    with opened(box):
        said = [box.call("c", name, "{}") for name in ("fails", "leaves", "fails_later", "unknown")]
        said.append(box.call("c", "fails", '{"x": 1}'))
    assert all(outcome.failed for outcome in said)
    messages = [json.loads(outcome.output)["error"] for outcome in said]
    assert messages == [
        "KeyError: 'no such thing'",
        "SystemExit: 3",
        "OSError: gone",
        "there is no function 'unknown'; there are: fails, leaves, fails_later",
        "there is no argument 'x'",
    ]
    assert [type(error) for error in raised] == [KeyError, SystemExit, OSError]


def test_async_functions_share_one_loop_so_that_what_they_keep_lasts() -> None:
    import asyncio

    lock = asyncio.Lock()
    loops = []

    async def visit() -> None:
        async with lock:
            loops.append(asyncio.get_running_loop())

    box = Toolbox([FunctionTool(visit, "f.py")])
    with opened(box):
        assert not box.call("c1", "visit", "{}").failed
        assert not box.call("c2", "visit", "{}").failed
    assert loops[0] is loops[1]


def test_an_async_function_that_is_given_up_ends_and_one_at_the_end_does_too() -> None:
    import asyncio

    begun, ended = threading.Event(), threading.Semaphore(0)

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.release()

    box = Toolbox([FunctionTool(wait, "f.py")])
    outcomes: list[ToolOutcome] = []
    with opened(box):
        for number in range(2):
            begun.clear()
            call = threading.Thread(target=lambda: outcomes.append(box.call("c", "wait", "{}")))
            call.start()
            assert begun.wait(60)
            if number == 0:
                box.cancel("c")
                call.join(60)
                assert ended.acquire(timeout=60)
    call.join(60)
    assert ended.acquire(timeout=60)
    assert [outcome.failed for outcome in outcomes] == [True, True]


def test_no_arguments_at_all_are_an_empty_object() -> None:
    assert FunctionTool(_answer, "file.py").call("") == 42


def _answer() -> int:
    return 42


@pytest.mark.parametrize(
    ("confirm", "asks"), [("auto", [False, True]), ("always", [True, True]), ("never", [False] * 2)]
)
def test_who_is_asked_about_is_the_marks_say_unless_the_user_says_otherwise(confirm: Confirm, asks: list[bool]) -> None:
    @realtime_cli.tool(confirm=True)
    def delete() -> None: ...

    box = Toolbox([FunctionTool(_answer, "f.py"), FunctionTool(delete, "f.py")], confirm=confirm)
    with opened(box) as definitions:
        assert [definition.asks for definition in definitions] == asks
    assert box.may_ask == any(asks)


def test_importing_the_decorator_loads_nothing_else() -> None:
    program = (
        "import sys\nfrom realtime_cli import tool\n"
        "ours = sorted(name for name in sys.modules if name.startswith(('realtime_cli.', 'pydantic', 'msgspec')))\n"
        "sys.exit(0 if ours == ['realtime_cli.tools', 'realtime_cli.tools.mark'] else str(ours))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 0, done.stderr.decode()


def test_say_without_tools_loads_nothing_of_them() -> None:
    with ScriptedServer(calling()) as server:
        program = (
            "import sys, realtime_cli.cli.main as m\n"
            f"try: m.app(['say', 'hi', '--base-url', '{server.url}'])\n"
            "except SystemExit as end: assert not end.code, end.code\n"
            "heavy = {'pydantic', 'asyncio', 'mcp', 'docstring_parser'} & set(sys.modules)\n"
            "sys.exit(f'imported: {heavy}' if heavy else 0)"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 0, done.stderr.decode()


def test_the_embedded_servers_side_reaches_no_mcp_server_and_that_is_said() -> None:
    settings = Settings(remote_mcp=("tickets=https://example.org/mcp",))
    assert toolbox_of(settings, Environment({}), LOCAL, lambda _error: None) == (None, [NO_REMOTE_CALLS])
