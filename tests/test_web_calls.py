"""The page with a server elsewhere: calls are joined from the side, functions run in the program, users are asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from realtime_cli.conversation.facts import Decided, Fact
from realtime_cli.conversation.records import Snapshot, ToolAsked
from realtime_cli.journal.entries import Entry, read
from realtime_cli.journal.folder import id_of
from realtime_cli.web.page_channel import Answered, PageChannel, Told
from tests.browser import Page, chromium
from tests.scripted_calls import SECRET, Provider
from tests.scripted_server import HttpAnswer, Script, ScriptedServer
from tests.scripted_talk import Talk
from tests.tool_scripts import Call, make_calls, response, write
from tests.waiting import PATIENCE_S
from tests.web_program import KEY, TOOLS, Program, looks, open_and_write, web

PRESSES_AT_ONCE = """
const show = HTMLDialogElement.prototype.showModal;
HTMLDialogElement.prototype.showModal = function () {
  show.call(this);
  document.getElementById("yes").click();
};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@contextmanager
def asking(
    page: Page, folder: Path, script: Script, provider: Provider, *flags: str, beta: bool = False
) -> Iterator[Program]:
    """The program with its function, on whose page it was asked what is in the garden, until the end of the block."""
    with (
        ScriptedServer(script, provider=provider, beta=beta) as server,
        web(server.url, folder, "--tools", write(folder, TOOLS), *flags) as program,
    ):
        open_and_write(page, program.url, "What is in the garden?")
        yield program


def ended(page: Page, program: Program) -> Path:
    """End the call and the program, which has saved the reply; the file of the conversation."""
    page.until(program.has_saved_replies)
    page.click("start")
    assert program.interrupt() == 130
    (saved,) = program.saved
    return saved


def said_and_run(saved: Path) -> list[Entry]:
    """What was said, and which functions ran with which results, in the order in which it was saved."""
    kinds = ("user", "tool_call", "tool_result", "assistant")
    return [entry for entry in read(saved).entries if entry.type in kinds]


def test_a_question_is_answered_once_however_often_the_answer_comes() -> None:
    channel, over, decided = PageChannel(), threading.Event(), list[Fact]()
    over.set()
    channel.run(decided.append, over)
    asked = [Snapshot(question=ToolAsked(call_id=name, name="look", arguments="{}")) for name in ("first", "second")]
    for snapshot in (asked[0], asked[0], asked[1]):
        channel.see(snapshot)
        channel.take(Told(call="call", answer=Answered("first", "yes")))
    assert decided == [Decided("yes")]
    # Some servers call every call the same.
    channel.see(Snapshot())
    channel.see(asked[0])
    channel.take(Told(call="call", answer=Answered("first", "no")))
    assert decided == [Decided("yes"), Decided("no")]


def test_a_function_runs_in_the_program_which_joined_the_call_and_all_is_saved(page: Page, tmp_path: Path) -> None:
    provider = Provider()
    with asking(page, tmp_path, looks, provider) as program:
        page.until_answered("garden.")
        page.until(lambda: page.lines[1][2].startswith("took "))
        assert [who for who, _, _ in page.lines] == ["user", "tool", "assistant"]
        assert page.lines[1][1] == 'look(place="garden")'
        (call,) = provider.calls.values()
        assert [event["type"] for event in call.from_side] == [
            "session.update",
            "conversation.item.create",
            "response.create",
        ]
        assert KEY not in page.driver.page_source
        assert SECRET not in page.driver.page_source
        saved = ended(page, program)
    assert provider.resources == ["client_secrets", "calls"]
    assert provider.asked[1][1]["authorization"] == f"Bearer {SECRET}"
    said = said_and_run(saved)
    assert [entry.type for entry in said] == ["user", "tool_call", "tool_result", "assistant"]
    assert (said[0].text, said[2].output) == ("What is in the garden?", "a tree in the garden")
    assert said[3].text == "There is a tree in the garden."


def test_who_is_asked_sees_the_whole_call_as_text_and_allows_it_once_always_or_not_at_all(
    page: Page, tmp_path: Path
) -> None:
    flags = ("--tools", write(tmp_path, TOOLS), "--confirm-tools", "always")
    with ScriptedServer(looks, provider=Provider()) as server, web(server.url, tmp_path, *flags) as program:
        open_and_write(page, program.url, "What is there?")
        page.until(lambda: page.text("asked"))
        assert page.text("asked") == "May look run?"
        assert page.text("asks") == 'place = "garden"'
        assert page.text("always") == "Always for look"
        page.press(Keys.ENTER)
        page.press(Keys.ESCAPE)
        page.until(lambda: page.last.startswith("There is") and not page.text("asked"))
        page.until(lambda: "does not allow" in page.lines[1][2])
        # A second press on where the button comes up again is no answer to the next question.
        page.driver.execute_script(PRESSES_AT_ONCE)
        page.write("And now?")
        page.until(lambda: page.text("asked"))
        page.grant("yes")
        page.until(lambda: len(page.lines) == 6 and page.lines[5][1].endswith("garden."))
        page.write("And now?")
        page.until(lambda: page.text("asked"))
        page.grant("always")
        page.until(lambda: len(page.lines) == 9 and page.lines[8][1].endswith("garden."))
        page.write("And now?")
        page.until(lambda: len(page.lines) == 12 and page.lines[11][1].endswith("garden."))
        assert not page.text("asked")
        page.click("start")


def test_a_question_that_is_open_when_the_page_is_closed_is_refused(page: Page, tmp_path: Path) -> None:
    def hostile(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        make_calls(talk, Call("look", {"place": "<img src=x onerror=alert(1)> \u202egnp.exe"}))
        talk.obey_until_closed()

    flags = ("--tools", write(tmp_path, TOOLS), "--confirm-tools", "always")
    with ScriptedServer(hostile, provider=Provider()) as server, web(server.url, tmp_path, *flags) as program:
        open_and_write(page, program.url, "What is there?")
        page.until(lambda: page.text("asked"))
        assert page.text("asks") == 'place = "<img src=x onerror=alert(1)> \\u202egnp.exe"'
        page.driver.refresh()
        page.until(lambda: program.saved and "tool_result" in [entry.type for entry in read(program.saved[0]).entries])
        (result,) = [entry for entry in read(program.saved[0]).entries if entry.type == "tool_result"]
        assert result.failed
        assert "does not allow" in result.output
    assert "looking" not in (tmp_path / "stderr.txt").read_text()


@pytest.mark.parametrize("refusal", ["http", "event", "no name"])
def test_where_nobody_may_join_the_page_passes_the_events_on_and_functions_run_all_the_same(
    page: Page, tmp_path: Path, refusal: str
) -> None:
    provider = Provider(names_calls=refusal != "no name")
    if refusal == "http":
        provider.failing["side"] = HttpAnswer(404, '{"error": {"message": "Sidebands are not here."}}')
    provider.side_error = refusal == "event"
    with asking(page, tmp_path, looks, provider) as program:
        page.until_answered("garden.")
        assert [who for who, _, _ in page.lines] == ["notice", "user", "tool", "assistant"]
        assert "cannot be joined from the side" in page.lines[0][1]
        saved = ended(page, program)
    assert "cannot be joined from the side" in (tmp_path / "stderr.txt").read_text()
    said = said_and_run(saved)
    assert [entry.type for entry in said] == ["user", "tool_call", "tool_result", "assistant"]
    assert said[3].text == "There is a tree in the garden."


def test_a_call_that_comes_while_the_side_is_lost_runs_when_it_is_back(page: Page, tmp_path: Path) -> None:
    provider = Provider()

    def drops(talk: Talk) -> None:
        (call,) = provider.calls.values()
        talk.greet()
        assert call.joined.acquire(timeout=PATIENCE_S)
        talk.obey_until("response.create")
        call.drop_sides()
        make_calls(talk, Call("look", {"place": "garden"}))
        talk.obey_until("response.create")
        talk.reply("It is back.")
        talk.obey_until_closed()

    with asking(page, tmp_path, drops, provider) as program:
        page.until_answered("It is back.")
        page.until(lambda: page.lines[1][2].startswith("took "))
        saved = ended(page, program)
    kinds = [entry.type for entry in read(saved).entries]
    assert kinds.count("tool_result") == 1
    assert kinds.count("user") == 1
    (spoken,) = [entry for entry in read(saved).entries if entry.type == "assistant"]
    assert (spoken.text, spoken.interrupted) == ("It is back.", False)


def test_what_happens_before_the_side_has_joined_is_known_as_well(page: Page, tmp_path: Path) -> None:
    provider = Provider()
    provider.holds_sides = threading.Event()

    def early(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        make_calls(talk, Call("look", {"place": "garden"}))
        provider.holds_sides.set()
        talk.obey_until("response.create")
        talk.reply("It was early.")
        talk.obey_until_closed()

    with asking(page, tmp_path, early, provider) as program:
        page.until_answered("It was early.")
        saved = ended(page, program)
    said = said_and_run(saved)
    assert sorted(entry.type for entry in said) == ["assistant", "tool_call", "tool_result", "user"]


def test_a_conversation_goes_on_where_it_was_saved_and_its_lines_are_there_dimmed(page: Page, tmp_path: Path) -> None:
    def answers(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.obey_until("response.create")
            talk.reply(f"Reply {len(talk.received)}.")

    with ScriptedServer(answers, provider=Provider()) as server:
        with web(server.url, tmp_path) as program:
            open_and_write(page, program.url, "مرحبا")
            page.until(lambda: len(page.said) == 2 and page.text("status") == "Connected")
            saved = ended(page, program)
        server.received.clear()
        with web(server.url, tmp_path, "--resume", "last", "--greet") as program:
            # What is held meanwhile elsewhere is not what was asked for.
            elsewhere = saved.with_name("99-235959-9zzzzz.jsonl")
            elsewhere.write_bytes(saved.read_bytes().replace(id_of(saved).encode(), b"9zzzzz"))
            open_and_write(page, program.url, "And you?")
            page.until(lambda: len(page.said) == 4 and page.said[3][1])
            page.until_answered(".")
            assert [text for _, text, _ in page.said[:3]] == ["مرحبا", page.said[1][1], "And you?"]
            assert page.lines[0][1].startswith("going on with ")
            dimmed = "return [...document.querySelectorAll('#lines li')].map((line) => line.classList.contains('past'))"
            assert page.driver.execute_script(dimmed) == [False, True, True, False, False]
            page.until(lambda: program.has_saved_replies(3))
            page.click("start")
            page.until(lambda: page.text("status") == "Not connected")
            # Started again, it goes on from there.
            open_and_write(page, program.url, "Still there?")
            page.until(lambda: len(page.said) == 6 and page.said[5][1])
            page.click("start")
            assert program.interrupt() == 130
        assert [event["type"] for event in server.received[:3]] == [
            "conversation.item.create",
            "conversation.item.create",
            "conversation.item.create",
        ]
    elsewhere.unlink()
    # Two of them may have begun within the second that the names of their files tell.
    first, second, third = sorted((read(path) for path in program.saved), key=lambda each: each.header.at)
    assert second.header.resumed_from == first.header.id
    assert third.header.resumed_from == second.header.id
    assert next(entry.text for entry in third.said) == "Still there?"
    assert next(entry.text for entry in second.said) == "And you?"


def test_a_server_of_the_older_pair_takes_the_call_and_functions_run(page: Page, tmp_path: Path) -> None:
    provider = Provider(older=True, names_calls=False)
    with asking(page, tmp_path, looks, provider, "--model", "older", beta=True):
        page.until_answered("garden.")
        assert [who for who, _, _ in page.lines] == ["notice", "user", "tool", "assistant"]
        page.click("start")
    assert provider.resources == ["client_secrets", "sessions", "offer"]
    assert provider.asked[1][2]["model"] == "older"
    assert provider.asked[2][1]["authorization"] == f"Bearer {SECRET}"


def test_a_call_that_the_models_side_runs_is_asked_about_with_its_server(page: Page, tmp_path: Path) -> None:
    approval = {"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "docs", "name": "search"}
    asked = {**approval, "arguments": '{"query": "opening hours"}'}
    answers: list[Any] = []

    def asks(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        response_id = talk.new_id("resp")
        talk.send({"type": "response.created", "response": response(response_id, "in_progress", [])})
        talk.send({"type": "conversation.item.added", "previous_item_id": None, "item": asked})
        place = {"response_id": response_id, "output_index": 0}
        talk.send({"type": "response.output_item.done", **place, "item": asked})
        talk.send({"type": "response.done", "response": response(response_id, "completed", [asked])})
        answers.append(talk.expect("conversation.item.create")["item"])
        ran = {**asked, "id": "mcp_1", "type": "mcp_call", "approval_request_id": "mcpr_1", "output": "9 to 5"}
        talk.send({"type": "conversation.item.done", "previous_item_id": "mcpr_1", "item": ran})
        talk.obey_until("response.create")
        talk.reply("From nine to five.")
        talk.obey_until_closed()

    flags = ("--remote-mcp", "docs=https://docs.example/mcp")
    provider = Provider()
    with ScriptedServer(asks, provider=provider) as server, web(server.url, tmp_path, *flags) as program:
        open_and_write(page, program.url, "When are they open?")
        page.until(lambda: page.text("asked"))
        assert page.text("asked") == "May search of the MCP server docs run?"
        assert page.text("asks") == 'query = "opening hours"'
        page.grant("yes")
        page.until(lambda: page.last == "From nine to five.")
        page.until(lambda: page.lines[1][2].startswith("took "))
        page.click("start")
    assert [(answer["approval_request_id"], answer["approve"]) for answer in answers] == [("mcpr_1", True)]
    offered = provider.asked[0][2]["session"]["tools"]
    assert [(tool["server_label"], tool["require_approval"]) for tool in offered] == [("docs", "always")]


def test_the_voice_speaks_first_where_that_is_wanted_and_a_budget_ends_the_call_in_words(
    page: Page, tmp_path: Path
) -> None:
    def greets(talk: Talk) -> None:
        talk.greet()
        assert talk.obey_until("response.create")["response"] == {"instructions": "Greet me."}
        talk.reply("Hello.")
        talk.obey_until_closed()

    flags = ("--greeting", "Greet me.", "--model", "gpt-realtime-2.1", "--budget", "0.0001")
    with ScriptedServer(greets, provider=Provider()) as server, web(server.url, tmp_path, *flags) as program:
        page.open(program.url)
        page.start()
        page.until(lambda: page.text("start") == "Start")
        assert page.said == [("assistant", "Hello.", "")]
        assert "the budget of $0.0001 is used up" in page.last
        assert page.text("problem") == ""
