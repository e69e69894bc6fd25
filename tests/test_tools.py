"""Python functions as tools: their schemas, their calls, and whole turns of the real program with them."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field

import realtime_cli
from realtime_cli.cli.tooling import NO_CALLS, toolbox_of
from realtime_cli.config import Settings
from realtime_cli.conversation.offers import Offer, Outcome
from realtime_cli.errors import InputError
from realtime_cli.providers.profiles import LOCAL
from realtime_cli.tools.arguments import BadArguments
from realtime_cli.tools.functions import FunctionTool
from realtime_cli.tools.loading import load_tools
from realtime_cli.tools.output import MAX_OUTPUT_CHARS, outcome_of
from realtime_cli.tools.toolbox import Confirm, Toolbox
from tests.pty_driver import Terminal
from tests.running import ROOT, environment, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.tool_scripts import Call, calling, make_calls

EXAMPLE = str(ROOT / "examples" / "folder_tools.py")


class Colour(enum.Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0
    colours: list[Colour] = []


@dataclasses.dataclass
class Size:
    """How large."""

    width: float


def draw(
    schema: str,
    points: list[Point],
    colour: Colour = Colour.RED,
    size: Size | None = None,
    style: Literal["thin", "thick"] = "thin",
    old: Optional[int] = None,  # noqa: UP045 -- people write it
    times: Annotated[int, Field(ge=1, description="How often.")] = 1,
    anything: Any = None,
) -> str:
    """Draw points.

    With a pen.

    Args:
        schema: The name of the drawing.
        points: Where.
        times: Not this one.
    """
    return f"{schema} {[point.x for point in points]} {colour} {size} {style} {old} {times} {anything}"


def test_a_schema_says_all_that_hints_and_docstring_say() -> None:
    offer = FunctionTool(draw, "file.py").offer
    properties, shared = offer.parameters["properties"], offer.parameters["$defs"]
    assert (offer.name, offer.description) == ("draw", "Draw points.\n\nWith a pen.")
    assert offer.parameters["required"] == ["schema", "points"]
    assert offer.parameters["additionalProperties"] is False
    assert properties["schema"] == {"type": "string", "description": "The name of the drawing."}
    assert properties["points"] == {"type": "array", "items": {"$ref": "#/$defs/Point"}, "description": "Where."}
    assert properties["colour"] == {"$ref": "#/$defs/Colour", "default": "red"}
    assert shared["Colour"]["enum"] == ["red", "blue"]
    assert shared["Point"]["required"] == ["x"]
    assert properties["size"] == {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}], "default": None}
    assert properties["style"]["enum"] == ["thin", "thick"]
    assert properties["old"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["times"] == {"type": "integer", "minimum": 1, "description": "How often.", "default": 1}


def test_arguments_arrive_as_the_types_that_the_hints_say() -> None:
    arguments = {"schema": "a", "points": [{"x": "3"}], "colour": "blue", "size": {"width": 2}, "times": 2}
    given = FunctionTool(draw, "file.py").call(json.dumps(arguments))
    assert given == "a [3] Colour.BLUE Size(width=2.0) thin None 2 None"


GOOGLE = """Look.

    Args:
        where (str): The place.
            It may be far.
        how: The way.

    Returns:
        What is seen.
    """
NUMPY = """Look.

    Parameters
    ----------
    where : str
        The place.
        It may be far.
    how
        The way.

    Returns
    -------
    str
        What is seen.
    """
SPHINX = """Look.

    :param str where: The place.
        It may be far.
    :param how: The way.
    :returns: What is seen.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["Google", "NumPy", "Sphinx"])
def test_docstrings_of_every_style_describe_parameters(docstring: str) -> None:
    def look(where: str, how: str) -> None: ...

    look.__doc__ = docstring
    offer = FunctionTool(look, "file.py").offer
    described = {name: it["description"] for name, it in offer.parameters["properties"].items()}
    assert described == {"where": "The place.\nIt may be far.", "how": "The way."}
    assert offer.description == "Look."


def test_a_function_without_hints_and_docstring_is_offered_all_the_same() -> None:
    def ping(what, *, when=3):  # type: ignore[no-untyped-def]
        return [what, when]

    tool = FunctionTool(ping, "file.py")
    assert tool.offer.for_session() == {
        "type": "function",
        "name": "ping",
        "parameters": {
            "type": "object",
            "properties": {"what": {}, "when": {"default": 3}},
            "required": ["what"],
            "additionalProperties": False,
        },
    }
    assert tool.call('{"what": {"a": 1}}') == [{"a": 1}, 3]


def test_positional_parameters_are_filled_in_by_name() -> None:
    def divide(a: int, b: int = 2, /) -> float:
        return a / b

    tool = FunctionTool(divide, "file.py")
    assert (tool.call('{"a": 8}'), tool.call('{"b": 4, "a": 8}')) == (4.0, 2.0)


def test_everything_that_is_wrong_with_arguments_is_said_at_once() -> None:
    with pytest.raises(BadArguments) as caught:
        FunctionTool(draw, "file.py").call('{"points": [{"x": "far"}], "colour": "green", "zoom": 1}')
    text = str(caught.value)
    for words in ("no argument 'zoom'", "'schema' is missing", "'points.0.x'", "'red' or 'blue'"):
        assert words in text


@pytest.mark.parametrize("arguments", ["{", "[1]", "3", "null", "[" * 100_000], ids=range(5))
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(BadArguments, match="JSON"):
        FunctionTool(draw, "file.py").call(arguments)


def test_no_arguments_at_all_are_an_empty_object() -> None:
    assert FunctionTool(_answer, "file.py").call("") == 42


def _answer() -> int:
    return 42


def unknown_type(a: int, sock: Iterator[int] | threading.Thread) -> None: ...


def unresolved(a: int, b: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def starred(a: int, *rest: int) -> None: ...


def keywords(a: int, **rest: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(unknown_type, "sock"), (unresolved, "b"), (starred, "rest"), (keywords, "rest")],
)
def test_a_schema_that_cannot_be_made_names_function_and_parameter(function: Any, parameter: str) -> None:
    with pytest.raises(InputError) as caught:
        FunctionTool(function, "my_tools.py")
    text = str(caught.value)
    assert text.startswith(f"my_tools.py: {function.__name__}: ")
    assert f"'{parameter}'" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain text", "plain text"),
        (None, "null"),
        ({"where": Path("a"), "size": 1.5}, '{"where":"a","size":1.5}'),
        (Point(x=1, colours=[Colour.RED]), '{"x":1,"y":0,"colours":["red"]}'),
        ([Size(1.0)], '[{"width":1.0}]'),
        ((number for number in (1, 2)), "[1,2]"),
        (math.nan, '"NaN"'),
        (3 + 4j, '"3+4j"'),
    ],
)
def test_results_become_text(result: object, text: str) -> None:
    assert outcome_of(result) == Outcome(text)


def test_a_result_that_is_no_text_at_all_is_a_failure_that_says_so() -> None:
    outcome = outcome_of(b"\xff\xfe")
    assert outcome.failed
    assert "JSON" in json.loads(outcome.output)["error"]


def test_a_long_result_is_cut_and_says_how_long_it_was() -> None:
    output = outcome_of("x" * 1_000_000).output
    assert len(output) < MAX_OUTPUT_CHARS + 100
    assert "1000000" in output


def write(folder: Path, text: str, name: str = "my_tools.py") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def names(tools: list[FunctionTool]) -> list[str]:
    return [tool.offer.name for tool in tools]


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
    assert [(tool.offer.name, tool.offer.asks) for tool in tools] == [("_one", False), ("third", True)]


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
def opened(box: Toolbox) -> Iterator[tuple[Offer, ...]]:
    """A toolbox in its own thread, as the session runs it."""
    offers: list[tuple[Offer, ...]] = []
    ready, stopping = threading.Event(), threading.Event()

    def tell(found: tuple[Offer, ...]) -> None:
        offers.append(found)
        ready.set()

    thread = threading.Thread(target=box.run, args=(tell, stopping))
    thread.start()
    assert ready.wait(60)
    try:
        yield offers[0]
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
    outcomes: list[Outcome] = []
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


@pytest.mark.parametrize(
    ("confirm", "asks"), [("auto", [False, True]), ("always", [True, True]), ("never", [False] * 2)]
)
def test_who_is_asked_about_is_the_marks_say_unless_the_user_says_otherwise(confirm: Confirm, asks: list[bool]) -> None:
    @realtime_cli.tool(confirm=True)
    def delete() -> None: ...

    box = Toolbox([FunctionTool(_answer, "f.py"), FunctionTool(delete, "f.py")], confirm=confirm)
    with opened(box) as offers:
        assert [offer.asks for offer in offers] == asks
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "garden.txt").write_text("Tulips in spring.\nDahlias in autumn.\n", encoding="utf-8")
    (tmp_path / "letter.txt").write_text("Dear Ünï,\nno flowers here\n", encoding="utf-8")
    return tmp_path


def outputs(server: ScriptedServer) -> list[str]:
    items = [event["item"] for event in server.of_type("conversation.item.create")]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_say_with_the_example_lists_reads_and_searches_a_folder(folder: Path, beta: bool) -> None:
    rounds = (
        Call("list_files", {"order": "size"}),
        (Call("read_file", {"name": "notes/garden.txt", "first_line": 2}), Call("search", {"words": "FLOWERS"})),
    )
    with ScriptedServer(calling(*rounds, reply="Dahlias."), beta=beta) as server:
        dialect = "beta" if beta else "ga"
        arguments = ("--tools", EXAMPLE, "--base-url", server.url, "--dialect", dialect)
        done = run("say", "What grows in autumn?", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Dahlias.\n"), done.stderr
    listed, *others = outputs(server)
    assert [file["name"] for file in json.loads(listed)] == ["notes/garden.txt", "letter.txt"]
    assert sorted(others) == sorted(["Dahlias in autumn.", '["letter.txt:2: no flowers here"]'])
    offered = server.of_type("session.update")[0]["session"]["tools"]
    assert [tool["name"] for tool in offered] == ["list_files", "read_file", "search"]
    assert 'tool: read_file(name="notes/garden.txt", first_line=2)\n' in done.stderr
    assert "tool: search took " in done.stderr


def test_the_example_reads_nothing_outside_its_folder(folder: Path) -> None:
    with ScriptedServer(calling(Call("read_file", {"name": "../secret"}), Call("read_file", {"name": 5}))) as server:
        done = run("say", "hi", "--tools", EXAMPLE, "--base-url", server.url, "--json", cwd=folder)
    assert done.returncode == 0
    results = [line for line in lines_of(done) if line["type"] == "tool_result"]
    assert [result["failed"] for result in results] == [True, True]
    assert "outside" in results[0]["output"]
    assert "'name'" in results[1]["output"]


def test_json_lines_tell_of_calls_and_results(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"))) as server:
        done = run("say", "hi", "--tools", EXAMPLE, "--base-url", server.url, "--json", cwd=folder)
    told = [line for line in lines_of(done) if line["type"].startswith("tool_")]
    assert [sorted(line) for line in told] == [
        ["arguments", "call_id", "name", "t", "type"],
        ["call_id", "duration_ms", "failed", "name", "output", "t", "type"],
    ]
    assert told[0]["arguments"] == "{}"
    assert [line["type"] for line in lines_of(done) if line["type"] in ("assistant", "end")] == ["assistant", "end"]


def test_several_calls_of_one_response_run_at_the_same_time(tmp_path: Path) -> None:
    text = (
        "import threading\nboth = threading.Barrier(2)\n"
        "def meet() -> int:\n    return both.wait(60)\n"
        "async def meet_too() -> int:\n    import asyncio\n    return await asyncio.to_thread(both.wait, 60)\n"
    )
    with ScriptedServer(calling((Call("meet"), Call("meet_too")))) as server:
        done = run("say", "hi", "--tools", write(tmp_path, text), "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    assert sorted(outputs(server)) == ["0", "1"]


def test_a_function_that_hangs_costs_neither_the_reply_nor_the_end(tmp_path: Path) -> None:
    text = "import threading\ndef hang() -> None:\n    threading.Event().wait()\n"
    with ScriptedServer(calling(Call("hang"), reply="It takes too long.")) as server:
        arguments = ("--tools", write(tmp_path, text), "--tool-timeout", "0.2", "--base-url", server.url)
        done = run("say", "hi", *arguments)
    assert (done.returncode, done.stdout) == (0, "It takes too long.\n"), done.stderr
    assert "0.2 s" in json.loads(outputs(server)[0])["error"]
    assert "tool: hang failed after" in done.stderr


def test_what_goes_wrong_is_one_line_for_the_user_and_words_for_the_model(tmp_path: Path) -> None:
    text = "def fails(n: int) -> None:\n    raise RuntimeError('first line\\nsecond line')\n"
    calls = (Call("fails", {"n": 1}), Call("fails", {"n": "x"}), Call("unknown"), Call("fails", "{n"))
    with ScriptedServer(calling(*calls)) as server:
        done = run("say", "hi", "--tools", write(tmp_path, text), "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    errors = [json.loads(output)["error"] for output in outputs(server)]
    for error, words in zip(errors, ["RuntimeError: first line second", "'n'", "'unknown'", "JSON"], strict=True):
        assert words in error
    assert done.stderr.count("\n") == 2 * len(calls)
    assert "Traceback" not in done.stderr


def test_a_traceback_is_for_debug(tmp_path: Path) -> None:
    path = write(tmp_path, "def fails() -> None:\n    raise RuntimeError('ouch')\n")
    with ScriptedServer(calling(Call("fails"))) as server:
        done = run("say", "hi", "--tools", path, "--base-url", server.url, "--debug")
    assert done.returncode == 0
    assert f'File "{path}", line 2' in done.stderr


def test_what_a_function_prints_does_not_get_into_the_reply(tmp_path: Path) -> None:
    path = write(tmp_path, "print('loading')\ndef talk() -> str:\n    print('busy', 1)\n    return 'ok'\n")
    with ScriptedServer(calling(Call("talk"))) as server:
        done = run("say", "hi", "--tools", path, "--base-url", server.url)
    assert done.stdout == "Done.\n"
    assert "loading\n" in done.stderr
    assert "busy 1\n" in done.stderr


def test_several_typed_turns_wait_for_the_calls_of_each(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"))) as server:
        arguments = ("--interactive", "--tools", EXAMPLE, "--base-url", server.url)
        done = run("say", *arguments, cwd=folder, stdin=b"one\ntwo\n")
    assert (done.returncode, done.stdout) == (0, "Done.\nDone.\n")
    one = ["conversation.item.create", "response.create", "conversation.item.create", "response.create"]
    assert server.types == ["session.update", *one, *one]


def test_ask_can_call_functions_too(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"), reply="Two files.")) as server:
        question = str(ROOT / "examples" / "question.wav")
        done = run("ask", question, "--tools", EXAMPLE, "--base-url", server.url, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Two files.\n"), done.stderr


def test_without_a_keyboard_a_call_that_needs_consent_is_refused_and_the_way_out_named(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"))) as server:
        arguments = ("--tools", EXAMPLE, "--base-url", server.url, "--confirm-tools", "always")
        done = run("say", "hi", *arguments, cwd=folder)
    assert done.returncode == 0
    assert "consent" in json.loads(outputs(server)[0])["error"]
    assert "--confirm-tools" in done.stderr


@pytest.mark.parametrize(("typed", "runs"), [("y\r", True), ("n\r", False)])
def test_at_a_terminal_say_asks_and_takes_a_typed_answer(folder: Path, typed: str, runs: bool) -> None:
    with ScriptedServer(calling(Call("search", {"words": "tulips"}))) as server:
        command = [sys.executable, "-m", "realtime_cli", "say", "hi", "--tools", EXAMPLE, "--base-url", server.url]
        options = ["--confirm-tools", "always"]
        with Terminal([*command, *options], environ={**environment(), "FOLDER_TOOLS_ROOT": str(folder)}) as terminal:
            terminal.wait_for('may search(words="tulips") run?')
            terminal.send(typed)
            terminal.wait_for("Done.")
            assert terminal.wait_for_end() == 0
    assert ("Tulips" in outputs(server)[0]) == runs


def test_the_list_of_files_in_a_variable_has_semicolons(folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path, "def ping() -> str: return 'pong'\n")
    with ScriptedServer(calling(Call("ping"))) as server:
        done = run("say", "hi", "--base-url", server.url, REALTIME_CLI_TOOLS=f"{EXAMPLE}; {other}", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert outputs(server) == ["pong"]


@pytest.mark.parametrize(("key", "ran"), [("y", "took"), ("n", "failed: the user does not allow this call")])
def test_a_chat_asks_in_its_live_view_and_takes_a_single_key(folder: Path, key: str, ran: str) -> None:
    with ScriptedServer(calling(Call("search", {"words": "tulips"}))) as server:
        command = [sys.executable, "-m", "realtime_cli", "chat", "--mic", "none", "--speaker", "none"]
        command += ["--tools", EXAMPLE, "--confirm-tools", "always", "--base-url", server.url]
        environ = {**environment(), "FOLDER_TOOLS_ROOT": str(folder)}
        with Terminal(command, environ=environ) as terminal:
            terminal.wait_for("listening")
            terminal.send("\rflowers?\r")
            terminal.wait_for('may search(words="tulips") run?')
            assert any("y yes · n no · a always" in line for line in terminal.screen())
            terminal.send(key)
            terminal.wait_for(f'⚙ search(words="tulips") {ran}')
            terminal.wait_for("Done.")
            terminal.send("\x04")
            assert terminal.wait_for_end() == 0
    assert ("Tulips" in outputs(server)[0]) == (key == "y")


def test_a_spoken_conversation_calls_functions_and_ends_after_the_reply(folder: Path) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear_turn("what is in my folder")
        make_calls(talk, Call("list_files"))
        talk.obey_until("response.create")
        talk.reply("Two files.", audio_ms=300)
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        question = str(ROOT / "examples" / "question.wav")
        arguments = ("--mic", question, "--speaker", "none", "--tools", EXAMPLE, "--base-url", server.url, "--json")
        done = run("chat", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    told = [line["type"] for line in lines_of(done) if line["type"] in ("tool_call", "tool_result", "assistant", "end")]
    assert told == ["tool_call", "tool_result", "assistant", "end"]
    assert len(server.of_type("response.create")) == 1


def test_the_embedded_model_is_offered_nothing_and_that_is_said(tmp_path: Path) -> None:
    settings = Settings(tools=(write(tmp_path, "1 / 0"),), mcp=("no-such-command",))
    assert toolbox_of(settings, LOCAL, lambda _error: None) == (None, [NO_CALLS])
