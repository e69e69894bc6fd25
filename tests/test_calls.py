"""Function calls in the conversation core: when they run, what the model is told, and when one reply is asked for."""

from __future__ import annotations

import json

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Notice, Phase, ToolCalled, ToolFinished
from realtime_cli.conversation.request_rate import BURST, PER_S
from realtime_cli.conversation.tool_definitions import ToolOutcome
from realtime_cli.protocol.server_events import server_event_from_object
from tests.calls_driver import ANYTHING, call, item_done, outputs, result, run_ids, spoken, tools, typed
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn


def test_the_session_waits_for_the_list_of_functions_and_offers_them() -> None:
    drive = Drive(offers_tools=True, listens=False).tell(HELLO, f.Typed("hi"))
    assert drive.sent_types == []
    drive.tell(tools("look"))
    assert drive.sent_types == ["session.update", "conversation.item.create", "response.create"]
    offered = drive.sent[0]["session"]["tools"]
    assert offered == [{"type": "function", "name": "look", "parameters": ANYTHING}]


def test_the_list_may_come_before_the_session_does() -> None:
    drive = Drive(offers_tools=True, listens=False).tell(tools("look"))
    assert drive.sent_types == []
    assert "tools" in drive.tell(HELLO).sent[0]["session"]


def test_a_call_runs_at_once_and_one_reply_is_asked_for_when_it_is_answered_and_the_response_is_done() -> None:
    drive = typed().tell(item_done(call()))
    assert run_ids(drive) == ["call_1"]
    drive.tell(result())
    assert outputs(drive) == {"call_1": "fine"}
    assert drive.sent_types.count("response.create") == 1
    drive.tell(done(output=[call()]))
    assert run_ids(drive) == ["call_1"]
    assert drive.sent_types.count("response.create") == 2


def test_a_turn_with_calls_ends_with_the_reply_to_their_results() -> None:
    drive = typed().tell(item_done(call()), done())
    assert drive.exit_code is None
    assert drive.core.snapshot().running == ("look",)
    drive.tell(result())
    assert drive.exit_code is None
    drive.tell(said("response.created", response={"id": "resp_2"}))
    assert drive.exit_code is None
    drive.tell(done("resp_2"))
    assert drive.exit_code is not None


def test_several_calls_run_together_and_get_one_reply_between_them() -> None:
    drive = typed("look", "listen").tell(item_done(call()), item_done(call("call_2", "listen")))
    assert run_ids(drive) == ["call_1", "call_2"]
    drive.tell(result(2), done())
    assert drive.sent_types.count("response.create") == 1
    drive.tell(result(1))
    assert list(outputs(drive)) == ["call_2", "call_1"]
    assert drive.sent_types.count("response.create") == 2


def test_a_quick_first_call_does_not_ask_before_a_slow_second_one_is_answered() -> None:
    drive = typed().tell(item_done(call()), result(1), item_done(call("call_2")), done())
    assert drive.sent_types.count("response.create") == 1
    assert drive.tell(result(2)).sent_types.count("response.create") == 2


def test_calls_follow_calls() -> None:
    drive = typed().tell(item_done(call()), done(), result())
    drive.tell(said("response.created", response={"id": "resp_2"}))
    # Some servers count their calls anew in every response.
    again = {**call(), "id": "item_other"}
    drive.tell(item_done(again, "resp_2"), done("resp_2"))
    assert run_ids(drive) == ["call_1", "call_1"]


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_a_call_that_was_cut_off_does_not_run(status: str) -> None:
    cut = call(status=status)
    drive = typed().tell(item_done(cut), done(status="cancelled", output=[cut]))
    assert (run_ids(drive), outputs(drive)) == ([], {})


def test_servers_that_tell_of_a_call_by_its_arguments_only_are_understood() -> None:
    added = said("response.output_item.added", response_id="resp_1", item=call(status="in_progress"))
    whole = said("response.function_call_arguments.done", response_id="resp_1", item_id="item_call_1", call_id="call_1")
    drive = typed().tell(added, whole)
    assert run_ids(drive) == []
    assert run_ids(drive.tell(done())) == ["call_1"]
    assert drive.shown(ToolCalled)[0].name == "look"


def test_arguments_that_an_interruption_cut_off_do_not_run() -> None:
    cut = {"type": "response.function_call_arguments.done", "item_id": "i", "call_id": "call_1", "name": "look"}
    assert run_ids(typed().tell(server_event_from_object(cut), done(status="cancelled"))) == []


def test_what_happened_to_a_call_is_shown_with_how_long_it_took() -> None:
    drive = typed().tell(item_done(call()), at=10.0).tell(result(failed=True), at=10.25)
    (called,), (finished,) = drive.shown(ToolCalled), drive.shown(ToolFinished)
    assert (called.call_id, called.name, called.arguments) == ("call_1", "look", "{}")
    assert (finished.output, finished.failed, finished.duration_ms) == ("fine", True, 250)


def test_a_call_that_takes_too_long_is_given_up_and_its_late_result_is_not_sent() -> None:
    drive = typed(tool_timeout_s=5.0).tell(item_done(call()), done(), at=1.0)
    assert drive.core.deadline == 6.0
    drive.tell(f.Tick(), at=5.9)
    assert outputs(drive) == {}
    drive.tell(f.Tick(), at=6.0)
    assert "5 s" in json.loads(outputs(drive)["call_1"])["error"]
    assert e.CancelTool("run_000001") in drive.effects
    drive.tell(result(1), at=7.0)
    assert len(outputs(drive)) == 1
    assert drive.sent_types.count("response.create") == 2


def test_the_users_turn_during_a_call_brings_the_reply_and_no_second_one_is_asked_for() -> None:
    drive = spoken().tell(item_done(call()), done())
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_2"), result())
    assert outputs(drive) == {"call_1": "fine"}
    drive.tell(said("input_audio_buffer.speech_stopped", item_id="item_2"))
    drive.tell(said("input_audio_buffer.committed", item_id="item_2"))
    drive.tell(*reply("resp_2"), done("resp_2"))
    assert "response.create" not in drive.sent_types


def test_speech_that_becomes_no_turn_delays_the_reply_only_a_little() -> None:
    drive = spoken().tell(item_done(call()), done())
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_2"), result())
    drive.tell(said("input_audio_buffer.speech_stopped", item_id="item_2"), at=5.0)
    assert drive.core.deadline == 7.0
    assert "response.create" not in drive.tell(f.Tick(), at=6.9).sent_types
    assert drive.core.deadline == 7.0
    assert drive.tell(f.Tick(), at=7.0).sent_types.count("response.create") == 1
    # Only the server's silence is still waited for; a deadline that stays in the past would spin.
    assert (drive.core.deadline or 0) > 7.0


def test_a_result_that_comes_during_another_response_is_spoken_about_after_it() -> None:
    drive = spoken().tell(item_done(call()), done(), *user_turn("item_2"))
    drive.tell(said("response.created", response={"id": "resp_2"}), result())
    assert outputs(drive) == {"call_1": "fine"}
    assert "response.create" not in drive.sent_types
    drive.tell(done("resp_2"))
    assert drive.sent_types.count("response.create") == 1


def test_a_result_that_comes_just_before_a_response_begins_is_not_known_to_it() -> None:
    drive = spoken().tell(item_done(call()), done(), *user_turn("item_2"), result())
    drive.tell(said("response.created", response={"id": "resp_2"}), done("resp_2"))
    assert drive.sent_types.count("response.create") == 1


def test_speech_that_interrupts_while_a_function_runs_loses_nothing() -> None:
    drive = spoken().tell(item_done(call()), said("input_audio_buffer.speech_started", item_id="item_2"))
    drive.tell(done(status="cancelled"), result())
    assert outputs(drive) == {"call_1": "fine"}
    assert "response.create" not in drive.sent_types


def test_a_typed_turn_does_not_wait_for_a_function_in_a_chat_but_does_between_typed_turns() -> None:
    chat = spoken().tell(item_done(call()), done(), f.Typed("and?"))
    assert chat.sent_types[-2:] == ["conversation.item.create", "response.create"]
    turns = Drive(listens=False, server_decides_turns=False, offers_tools=True)
    turns.tell(HELLO, tools("look"), f.Typed("one"), f.Typed("two"))
    turns.tell(said("response.created", response={"id": "resp_1"}), item_done(call()), done())
    assert turns.sent_types.count("conversation.item.create") == 1
    turns.tell(result(), said("response.created", response={"id": "resp_2"}), done("resp_2"))
    assert turns.sent_types.count("response.create") == 3


def test_a_reply_that_the_server_refuses_is_asked_for_again_only_when_one_was_active() -> None:
    drive = typed().tell(item_done(call()), done(), result())
    asked = [x.event.event_id for x in drive.effects if isinstance(x, e.Send)][-1]
    drive.tell(said("error", error={"code": "some_error", "message": "No.", "event_id": asked}))
    assert drive.sent_types.count("response.create") == 2
    assert drive.exit_code == 1


def test_a_chat_with_a_limit_of_turns_ends_after_the_reply_to_the_result() -> None:
    drive = spoken(max_turns=1, transcribes_user=False).tell(item_done(call()), done(), f.Tick(), at=100.0)
    assert drive.exit_code is None
    assert drive.core.snapshot().phase is Phase.LISTENING
    drive.tell(result(), said("response.created", response={"id": "resp_2"}), at=101.0)
    drive.tell(done("resp_2"), f.Tick(), at=102.0)
    assert drive.exit_code is not None


def round_of_calls(drive: Drive, number: int) -> Drive:
    """A response that calls a function again, and the function's result."""
    name = f"resp_{number}"
    drive.tell(said("response.created", response={"id": name}), item_done(call(f"call_{number}"), name), done(name))
    if run_ids(drive)[-1:] == [f"call_{number}"]:
        drive.tell(f.ToolReturned(f"run_{number:06d}", ToolOutcome("fine")))
    return drive


def test_a_model_that_answers_every_result_with_a_call_is_bounded_and_the_user_is_told() -> None:
    drive = typed(max_tool_rounds=3)
    for number in range(1, 12):
        round_of_calls(drive, number)
    asked = [event.get("response", {}) for event in drive.sent if event["type"] == "response.create"]
    assert [body.get("tool_choice") for body in asked] == [None, None, None, None, "none"]
    assert ["--max-tool-rounds" in notice.text for notice in drive.shown(Notice)] == [True]
    assert "too many calls" in json.loads(outputs(drive)["call_5"])["error"]
    assert run_ids(drive) == [f"call_{number}" for number in range(1, 5)]


def test_a_turn_of_the_users_begins_the_count_of_rounds_anew() -> None:
    drive = Drive(offers_tools=True, max_tool_rounds=2).tell(HELLO, tools("look"), *user_turn("u1"))
    number = 0
    for turn in ("u2", "u3", "u4"):
        for _ in range(2):
            number += 1
            round_of_calls(drive, number)
        drive.tell(*user_turn(turn))
    assert drive.shown(Notice) == []


def test_rounds_without_a_bound_are_slowed_down_to_what_a_conversation_can_need() -> None:
    drive = typed(max_tool_rounds=10_000)
    seconds = 5
    for number in range(1, 500):
        name = f"resp_{number}"
        drive.tell(said("response.created", response={"id": name}), item_done(call(f"call_{number}"), name), done(name))
        drive.tell(f.ToolReturned(f"run_{number:06d}", ToolOutcome("fine")), at=number * seconds / 500)
    assert drive.sent_types.count("response.create") <= 1 + BURST + seconds * PER_S
    assert ["slowing down" in notice.text for notice in drive.shown(Notice)] == [True]
    assert drive.core.deadline is not None
