"""A conversation that outlives its connection: what the next server is told, in order, and what is asked again."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.past import Model, User
from realtime_cli.conversation.records import (
    AssistantSaid,
    Phase,
    SessionStarted,
    ToolFinished,
    Trouble,
    UserSaid,
)
from realtime_cli.conversation.tool_definitions import ToolOutcome
from realtime_cli.protocol.dialects import Dialect
from tests.continuity_driver import GONE, TYPED, ConnectedDrive, transcript
from tests.conversation_driver import HELLO, Drive, done, reply, said


def test_the_new_server_is_told_the_session_then_the_past_then_the_microphone_and_is_not_greeted() -> None:
    call = ConnectedDrive()
    call.tell(f.Wanted("Greet me."))
    call.answer("Welcome!", 1).turn("What time is it?", 2).answer("Noon.", 2)
    call.lose(silent_s=2.0).regain()
    assert call.told == [
        "session.update",
        "assistant: Welcome!",
        "user: What time is it?",
        "assistant: Noon.",
        f"microphone {2.0 + call.now:g}",
    ]
    assert call.states == ["lost", "retrying", "restored"]
    assert [record.id for record in call.shown(SessionStarted)] == ["sess_1"]
    assert call.core.snapshot().phase is Phase.LISTENING


def test_while_it_is_lost_the_screen_says_so_and_nothing_is_sent() -> None:
    call = ConnectedDrive().lose()
    assert call.core.snapshot().phase is Phase.RECONNECTING
    call.tell(f.Typed("Are you there?"))
    assert call.told == []
    call.regain()
    assert call.told[0] == "session.update"
    assert call.told[-2:] == ["user: Are you there?", "response.create"]


def test_a_turn_that_was_finished_but_not_answered_is_asked_again_once() -> None:
    call = ConnectedDrive().turn("What time is it?", 1).lose().regain()
    assert [each for each in call.told if "microphone" not in each] == [
        "session.update",
        "user: What time is it?",
        "response.create",
    ]
    call.lose().regain()
    assert "response.create" not in call.told
    assert "user: What time is it?" in call.told
    assert "lost twice" in call.shown(Trouble)[-1].message
    assert call.exit_code is None


def test_a_turn_that_was_heard_but_not_understood_is_sent_once_more_as_sound() -> None:
    call = ConnectedDrive()
    call.tell(said("input_audio_buffer.speech_started", item_id="u"), at=10.0)
    call.tell(said("input_audio_buffer.speech_stopped", item_id="u"), at=12.0)
    call.tell(said("input_audio_buffer.committed", item_id="u"), at=12.0)
    call.lose().regain()
    assert call.told[-1] == f"microphone {call.now - 10.0:g}"
    assert "response.create" not in call.told
    assert call.shown(UserSaid) == []


def test_a_reset_in_the_middle_of_a_word_sends_the_sentence_from_its_beginning() -> None:
    call = ConnectedDrive()
    call.tell(said("input_audio_buffer.speech_started", item_id="u"), at=5.0)
    call.tell(at=6.0)
    call.lose().regain()
    assert call.told == ["session.update", f"microphone {call.now - 5.0:g}"]
    assert call.core.snapshot().phase is Phase.LISTENING


def test_a_reply_that_was_cut_is_kept_as_far_as_it_was_heard_and_not_asked_for_again() -> None:
    call = ConnectedDrive().turn("Tell me a story.", 1)
    call.tell(*reply("resp_1", "item_1", seconds=4, text="Once upon a time there was a king who could not sleep"))
    call.tell(f.Heard("item_1", 0, 1000, finished=False))
    call.lose()
    assert any(isinstance(effect, e.EndOfAudio) for effect in call.since)
    call.tell(f.Heard("item_1", 0, 4000, finished=True))
    (heard,) = call.shown(AssistantSaid)
    assert heard.interrupted
    call.regain()
    assert f"assistant: {heard.text}" in call.told
    assert "response.create" not in call.told


def test_what_is_still_being_heard_is_mended_when_the_user_cuts_in() -> None:
    call = ConnectedDrive().turn("Tell me a story.", 1)
    text = "Once upon a time there was a king who could not sleep"
    call.tell(*reply("resp_1", "item_1", seconds=4, text=text))
    call.lose().regain()
    assert f"assistant: {text}" in call.told
    call.mark = len(call.effects)
    call.heard["item_1"] = 1500
    call.tell(said("input_audio_buffer.speech_started", item_id="u2"))
    (heard,) = call.shown(AssistantSaid)
    assert heard.text
    assert text.startswith(heard.text)
    assert call.told == ["delete", f"assistant: {heard.text}"]
    create = next(x.event for x in reversed(call.since) if isinstance(x, e.Send))
    assert create.previous_item_id == "past_000001"  # type: ignore[attr-defined]


def test_where_turns_wait_for_each_other_a_cut_reply_is_asked_for_again_once() -> None:
    call = ConnectedDrive(plays=False, **TYPED)
    call.tell(f.Typed("Hello?"), f.InputsEnded())
    call.tell(*reply("resp_1", "item_1", seconds=0, text="Good mor"))
    call.lose().regain()
    assert call.told == ["session.update", "user: Hello?", "response.create"]
    call.tell(*reply("resp_2", "item_2", seconds=0, text="Good morning."), done("resp_2"))
    assert [record.text for record in call.shown(AssistantSaid)] == ["Good mor", "Good morning."]
    assert call.exit_code == 0


def test_a_one_shot_that_is_lost_twice_fails() -> None:
    call = ConnectedDrive(**TYPED)
    call.tell(f.Typed("Hello?"), f.InputsEnded())
    call.lose().regain().lose()
    assert call.exit_code == 4
    assert "lost again before an answer came" in call.shown(Trouble)[-1].message


def with_a_call_that_runs() -> tuple[ConnectedDrive, e.RunTool]:
    call = ConnectedDrive(offers_tools=True)
    call.tell(f.ToolsReady(()))
    call.turn("What is in the folder?", 1)
    item = {"id": "i", "type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}", "status": "completed"}
    call.tell(said("response.created", response={"id": "r1"}))
    call.tell(said("response.output_item.done", response_id="r1", item=item), done("r1"))
    (run,) = [effect for effect in call.effects if isinstance(effect, e.RunTool)]
    return call, run


def test_a_call_that_runs_meanwhile_is_restored_and_its_result_goes_to_the_new_server() -> None:
    call, run = with_a_call_that_runs()
    call.lose().regain()
    assert call.told[:3] == ["session.update", "user: What is in the folder?", "function_call: {}"]
    assert "response.create" not in call.told
    call.tell(f.ToolReturned(run.run_id, ToolOutcome("a cat")))
    assert call.told[-2:] == ["function_call_output: a cat", "response.create"]


def test_a_call_that_returns_while_there_is_no_connection_is_told_with_its_result() -> None:
    call, run = with_a_call_that_runs()
    call.lose()
    call.tell(f.ToolReturned(run.run_id, ToolOutcome("a cat")))
    call.regain()
    assert call.told[2:4] == ["function_call: {}", "function_call_output: a cat"]
    assert call.told[-1] == "response.create"


def test_results_that_were_in_and_not_spoken_about_are_asked_about() -> None:
    call, run = with_a_call_that_runs()
    call.tell(f.ToolReturned(run.run_id, ToolOutcome("a cat")))
    call.lose().regain()
    assert call.told[2:4] == ["function_call: {}", "function_call_output: a cat"]
    assert call.told[-1] == "response.create"
    assert len(call.shown(ToolFinished)) == 1


def test_a_recording_that_was_being_sent_is_sent_again_from_its_beginning() -> None:
    call = ConnectedDrive(**TYPED)
    call.tell(f.Spoken("talk.wav"), f.InputsEnded())
    call.lose().regain()
    assert [x for x in call.since if isinstance(x, e.Feed)] == [e.Feed("talk.wav")]
    call.tell(f.Fed())
    assert call.told[-2:] == ["input_audio_buffer.commit", "response.create"]
    call.lose().regain()  # committed, and nothing known of it: once more
    assert [x for x in call.since if isinstance(x, e.Feed)] == [e.Feed("talk.wav")]
    call.tell(f.Fed())
    call.answer("Yes.", 1)
    assert call.exit_code == 0


def test_a_recording_whose_words_are_known_is_asked_about_by_its_words() -> None:
    call = ConnectedDrive(**TYPED)
    call.tell(f.Spoken("talk.wav"), f.InputsEnded(), f.Fed())
    call.tell(said("input_audio_buffer.committed", item_id="u"), transcript("u", "What time is it?"))
    call.lose().regain()
    assert call.told == ["session.update", "user: What time is it?", "response.create"]
    assert not any(isinstance(effect, e.Feed) for effect in call.since)


def test_what_the_talk_key_recorded_as_the_connection_went_is_sent_and_answered() -> None:
    call = ConnectedDrive(push_to_talk=True, server_decides_turns=False)
    call.heard["microphone"] = 900
    call.tell(f.Pressed(), at=5.0)
    call.tell(f.MicOpened(), at=5.1)
    call.lose()
    call.tell(f.Released(), at=6.0)
    call.regain()
    assert call.told == [
        "session.update",
        f"microphone {call.now - 5.0:g}",
        "input_audio_buffer.commit",
        "response.create",
    ]


def test_the_talk_key_may_be_down_all_the_while() -> None:
    call = ConnectedDrive(push_to_talk=True, server_decides_turns=False)
    call.heard["microphone"] = 900
    call.tell(f.Pressed(), f.MicOpened(), at=5.0)
    call.lose().regain()
    assert call.told == ["session.update", f"microphone {call.now - 5.0:g}"]
    call.tell(f.Released())
    assert call.told[-2:] == ["input_audio_buffer.commit", "response.create"]


def test_a_dialect_that_was_found_out_is_spoken_from_the_beginning() -> None:
    drive = Drive(reconnect_s=60.0, session_otherwise={Dialect.BETA: {"modalities": ["text"]}})
    beta = said("session.created", session={"id": "s", "modalities": ["text"], "voice": "alloy"})
    drive.tell(f.Opened(0.0), beta, f.Lost(GONE))
    drive.tell(f.Tick(), at=drive.core.deadline)
    before = len(drive.effects)
    drive.tell(f.Opened(1.0), beta)
    assert e.Speak(Dialect.BETA) in drive.effects[before:]


def test_what_happens_on_connections_that_count_no_more_is_nothing() -> None:
    call = ConnectedDrive()
    before = len(call.effects)
    call.tell(f.OnStandby(77, f.Opened(1.0)), f.OnStandby(77, f.Lost(GONE)))
    assert len(call.effects) == before


def test_a_conversation_that_goes_on_is_told_its_past_at_the_beginning() -> None:
    call = ConnectedDrive(past=(User(text="Hello."), Model(text="Hi.")))
    assert call.told == ["session.update", "user: Hello.", "assistant: Hi."]


def limited(message: str) -> Any:
    error = {"code": "rate_limit_exceeded", "type": "requests", "message": message}
    return done("r1", status="failed", status_details={"type": "failed", "error": error})


@pytest.mark.parametrize(
    ("message", "wait_s"),
    [
        ("Rate limit reached. Please try again in 6.2s. Visit …", 6.2),
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 1m30s.", 60.0),
        ("Please try again in 12 s", 12.0),
        ("Slow down in midsummer.", 5.0),
    ],
)
def test_a_rate_limit_is_waited_for_as_long_as_it_says_and_asked_once_more(message: str, wait_s: float) -> None:
    call = Drive(**TYPED).tell(HELLO, f.Typed("Hello?"), f.InputsEnded())
    call.tell(said("response.created", response={"id": "r1"}), limited(message))
    assert call.sent_types.count("response.create") == 1
    assert call.core.deadline == pytest.approx(wait_s)
    assert call.shown(Trouble) == []
    call.tell(f.Tick(), at=call.core.deadline)
    assert call.sent_types.count("response.create") == 2
    call.tell(said("response.created", response={"id": "r2"}))
    call.tell(done("r2", status="failed", status_details={"error": {"code": "rate_limit_exceeded", "message": "No."}}))
    call.tell(f.Tick(), at=call.now + 100.0)
    assert call.sent_types.count("response.create") == 2
    assert "wait a little" in call.shown(Trouble)[0].message
    assert call.exit_code == 1


def test_a_server_that_counts_its_ids_from_the_beginning_again_is_understood() -> None:
    call = ConnectedDrive().turn("One?", 1)
    call.tell(*reply("resp_1", "item_1", seconds=2, text="The first."))
    call.lose().regain()
    call.tell(*reply("resp_1", "item_1", seconds=1, text="The second."), done("resp_1"))
    names = [x.item_id for x in call.effects if isinstance(x, e.Play)]
    assert len(set(names)) == 2
    call.tell(f.Heard(names[0], 0, 2000, finished=True), f.Heard(names[-1], 0, 1000, finished=True))
    assert [record.text for record in call.shown(UserSaid)] == ["One?"]
    assert [(record.text, record.heard_ms) for record in call.shown(AssistantSaid)] == [
        ("The first.", 2000),
        ("The second.", 1000),
    ]
    assert call.core.snapshot().lines == ()
