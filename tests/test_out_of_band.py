"""Side channels: responses out of band that never become part of the conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.effects import End
from realtime_cli.conversation.options import ConversationOptions, SideChannel
from realtime_cli.conversation.out_of_band import ANSWER_S
from realtime_cli.conversation.records import AssistantSaid, Notice, SideChannelSaid
from realtime_cli.protocol.dialects import from_wire
from tests.conversation_driver import HELLO, Drive, said
from tests.running import ROOT, lines_of, run
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import Talk

MOOD = ("--side-channel", "mood=Name the user's mood in one word.")
CHANNELS = (SideChannel("mood", "How?"), SideChannel("title", "What?"))
TITLE = ("--side-channel", "title=Give the talk a title.")


def answer_aside(talk: Talk, text: str, request: dict[str, Any], *, status: str = "completed") -> None:
    """A response out of band, with the events that the live service sends for one."""
    response = {
        "id": talk.new_id("resp"),
        "object": "realtime.response",
        "status": "in_progress",
        "conversation_id": None,
        "metadata": request["response"]["metadata"],
        "output": [],
    }
    talk.send({"type": "response.created", "response": response})
    item = {
        "id": talk.new_id("item"),
        "object": "realtime.item",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text}],
    }
    place = {"response_id": response["id"], "output_index": 0}
    talk.send({"type": "response.output_item.added", **place, "item": item | {"content": []}})
    inside = {**place, "item_id": item["id"], "content_index": 0}
    for piece in (text[:3], text[3:]):
        talk.send({"type": "response.output_text.delta", **inside, "delta": piece})
    talk.send({"type": "response.output_text.done", **inside, "text": text})
    talk.send({"type": "response.output_item.done", **place, "item": item})
    usage = {"total_tokens": 7, "input_tokens": 5, "output_tokens": 2}
    done: dict[str, Any] = {"status": status, "output": [item], "usage": usage}
    if status == "failed":
        error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Too fast."}
        done["status_details"] = {"type": "failed", "error": error}
    talk.send({"type": "response.done", "response": response | done})


def with_asides(*asides: str, reply: str = "Fine.", turns: int = 1, status: str = "completed") -> Script:
    """Answers turns, and after each what is asked aside."""

    def script(talk: Talk) -> None:
        talk.greet()
        for _ in range(turns):
            talk.obey_until("response.create")
            talk.reply(reply)
            requests = [talk.obey_until("response.create") for _ in asides]
            for text, request in zip(asides, requests, strict=True):
                answer_aside(talk, text, request, status=status)
        talk.obey_until_closed()

    return script


def test_each_side_channel_is_asked_out_of_band_after_the_turn() -> None:
    with ScriptedServer(with_asides("cheerful", "A talk")) as server:
        done = run("say", "hello", *MOOD, *TITLE, "--json", "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    turn, *asides = server.of_type("response.create")
    assert "response" not in turn
    assert [request["response"]["metadata"] for request in asides] == [
        {"side_channel": "mood"},
        {"side_channel": "title"},
    ]
    for request in asides:
        assert request["response"]["conversation"] == "none"
        assert request["response"]["output_modalities"] == ["text"]
        assert "input" not in request["response"]
    lines = lines_of(done)
    assert [(it["name"], it["text"]) for it in lines if it["type"] == "aside"] == [
        ("mood", "cheerful"),
        ("title", "A talk"),
    ]
    assert [it["text"] for it in lines if it["type"] == "assistant"] == ["Fine."]
    assert [it["text"] for it in lines if it["type"] == "assistant_delta"] == ["Fine."]
    assert lines[-1]["type"] == "end"


def test_the_reply_alone_is_on_stdout() -> None:
    with ScriptedServer(with_asides("cheerful")) as server:
        done = run("say", "hello", *MOOD, "--base-url", server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "[mood] cheerful\n")


def test_a_turn_that_comes_meanwhile_is_answered_and_each_is_told_apart() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("First.")
        first = talk.obey_until("response.create")
        talk.obey_until("response.create")
        second_reply = talk.begin_reply()
        second_reply.say("Sec")
        answer_aside(talk, "calm", first)
        second_reply.say("ond.")
        second_reply.finish()
        answer_aside(talk, "excited", talk.obey_until("response.create"))
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        arguments = ("--interactive", "--json", *MOOD, "--base-url", server.url)
        done = run("say", *arguments, stdin=b"one\ntwo\n")
    assert done.returncode == 0, done.stderr
    lines = lines_of(done)
    assert [it["text"] for it in lines if it["type"] == "assistant"] == ["First.", "Sec ond."]
    assert [it["text"] for it in lines if it["type"] == "aside"] == ["calm", "excited"]


def test_a_side_channel_that_fails_or_is_refused_does_not_fail_the_turn() -> None:
    with ScriptedServer(with_asides("", status="failed")) as server:
        done = run("say", "hello", *MOOD, "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert "side channel mood" in done.stderr
    assert "Too fast" in done.stderr

    def refuses(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("Fine.")
        request = talk.obey_until("response.create")
        code = "conversation_already_has_active_response"
        talk.error(code, "One at a time.", event_id=request["event_id"])
        talk.obey_until_closed()

    with ScriptedServer(refuses) as server:
        done = run("say", "hello", *MOOD, "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert "One at a time." in done.stderr
    assert len(server.of_type("response.create")) == 2


def test_a_prompt_comes_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "mood.md").write_text("Name the mood.\n")
    with ScriptedServer(with_asides("calm")) as server:
        run("say", "hello", "--side-channel", "mood=@mood.md", "--base-url", server.url, cwd=tmp_path)
    assert server.of_type("response.create")[1]["response"]["instructions"] == "Name the mood."


@pytest.mark.parametrize("given", ["mood", "=x", "mood=", "mood=@nowhere.md", " =x"])
def test_a_side_channel_that_makes_no_sense_is_exit_2(given: str) -> None:
    done = run("say", "hello", "--side-channel", given, "--base-url", "127.0.0.1:9")
    assert done.returncode == 2, done.stderr
    assert "--side-channel" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_embedded_server_writes_asides_too_and_a_chat_waits_for_them() -> None:
    question = str(ROOT / "examples" / "question.wav")
    arguments = ("--mic", question, "--speaker", "none", *MOOD, "--max-turns", "1", "--text-only")
    done = run("chat", "--local", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    lines = lines_of(done)
    (aside,) = [line for line in lines if line["type"] == "aside"]
    assert aside["text"]
    (answer,) = [line for line in lines if line["type"] == "assistant"]
    assert "Paris" in answer["text"]


def aside_of(name: str, text: str, **fields: Any) -> list[Any]:
    """A response that says nothing of which request it answers."""
    place = {"response_id": name, "item_id": f"item of {name}", "output_index": 0, "content_index": 0}
    return [
        said("response.created", response={"id": name, **fields}),
        said("response.output_text.delta", **place, delta=text),
        said("response.done", response={"id": name, "status": "completed", **fields}),
    ]


def test_side_channels_of_a_server_that_repeats_no_metadata_are_known_by_the_order_of_requests() -> None:
    drive = Drive(listens=False, server_decides_turns=False, side_channels=CHANNELS)
    drive.tell(HELLO, f.Typed("one"), *aside_of("r1", "First."), *aside_of("r2", "calm"), *aside_of("r3", "A talk"))
    drive.tell(f.Typed("two"), *aside_of("r4", "Second."), f.InputsEnded(), *aside_of("r5", "wild"))
    assert drive.exit_code is None
    drive.tell(*aside_of("r6", "Two talks"))
    assert [x.text for x in drive.shown(AssistantSaid)] == ["First.", "Second."]
    assert [x.text for x in drive.shown(SideChannelSaid)] == ["calm", "A talk", "wild", "Two talks"]
    assert (drive.sent_types.count("response.create"), drive.exit_code) == (6, 0)


def test_a_server_that_puts_side_channels_into_the_conversation_is_asked_once_only_and_the_user_is_told() -> None:
    drive = Drive(listens=False, server_decides_turns=False, side_channels=CHANNELS[:1])
    drive.tell(HELLO, f.Typed("one"), *aside_of("r1", "First.", conversation_id="conv_1"))
    drive.tell(*aside_of("r2", "calm", conversation_id="conv_1"))
    drive.tell(f.Typed("two"), *aside_of("r3", "Second.", conversation_id="conv_1"), f.InputsEnded())
    assert [x.text for x in drive.shown(AssistantSaid)] == ["First.", "Second."]
    assert "off from here on" in drive.shown(Notice)[0].text
    assert (drive.sent_types.count("response.create"), drive.exit_code) == (3, 0)


def test_what_comes_late_of_a_side_channel_is_no_reply() -> None:
    drive = Drive(listens=False, server_decides_turns=False, side_channels=CHANNELS[:1])
    drive.tell(HELLO, f.Typed("one"), *aside_of("r1", "First."), *aside_of("r2", "calm"), *aside_of("r2", "again")[1:])
    assert [x.text for x in drive.shown(AssistantSaid)] == ["First."]
    assert drive.core.snapshot().lines == ()
    assert drive.tell(f.InputsEnded()).exit_code == 0


def test_a_server_that_answers_no_side_channel_is_not_asked_again() -> None:
    drive = Drive(listens=False, server_decides_turns=False, side_channels=CHANNELS)
    drive.tell(HELLO, f.Typed("one"), *aside_of("r1", "First."))
    drive.tell(f.Tick(), at=ANSWER_S)
    drive.tell(f.Typed("two"), *aside_of("r2", "Second."), f.InputsEnded(), at=ANSWER_S + 1)
    assert [x.text for x in drive.shown(AssistantSaid)] == ["First.", "Second."]
    assert len(drive.shown(Notice)) == 1
    assert (drive.sent_types.count("response.create"), drive.exit_code) == (4, 0)


def test_the_end_does_not_wait_for_ever_for_a_side_channel() -> None:
    options = ConversationOptions(
        provider="test", session={"type": "realtime"}, listens=False, side_channels=(SideChannel("mood", "How?"),)
    )
    core = Conversation(options)
    for fact in (
        f.Opened(),
        from_wire('{"type":"session.created","session":{"id":"s"}}'),
        f.Typed("hello"),
        f.InputsEnded(),
        from_wire('{"type":"response.created","response":{"id":"r"}}'),
        from_wire('{"type":"response.output_text.delta","response_id":"r","item_id":"i","delta":"Fine."}'),
        from_wire('{"type":"response.done","response":{"id":"r","status":"completed"}}'),
    ):
        effects = core.handle(fact, 10.0)
        assert not any(isinstance(effect, End) for effect in effects)
    assert core.deadline == 10.0 + ANSWER_S
    assert End(0, "done") in core.handle(f.Tick(), core.deadline)
