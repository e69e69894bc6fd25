"""The conversation core, driven by lists of facts: typed and spoken turns, their order, and what they cost."""

from __future__ import annotations

from typing import Any

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import AssistantSaid, Phase, UsageReported, UserSaid
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn


def written(item: str) -> dict[str, Any]:
    """The item of a whole reply in writing."""
    content = [{"type": "output_text", "text": "Yes."}]
    return {"id": item, "type": "message", "role": "assistant", "content": content}


def test_a_typed_turn_sends_the_item_and_asks_for_one_response_and_ends_when_it_is_done() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(f.Opened(), f.Typed("hi"), f.InputsEnded(), HELLO)
    assert drive.sent_types == ["session.update", "conversation.item.create", "response.create"]
    assert drive.sent[1]["item"]["content"] == [{"type": "input_text", "text": "hi"}]
    ids = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}
    drive.tell(said("response.created", response={"id": "resp_1"}))
    drive.tell(
        said("response.output_text.delta", **ids, delta="Good "),
        said("response.output_text.delta", **ids, delta="day."),
    )
    assert drive.exit_code is None
    drive.tell(done())
    assert [(x.text, x.heard_ms, x.interrupted) for x in drive.shown(AssistantSaid)] == [("Good day.", None, False)]
    assert drive.exit_code == 0


def test_several_typed_turns_wait_for_each_other() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(
        HELLO, f.Typed("one"), f.Typed("two"), f.InputsEnded()
    )
    assert drive.sent_types.count("response.create") == 1
    drive.tell(said("response.created", response={"id": "resp_1"}), done(output=[written("item_a")]))
    assert drive.sent_types.count("response.create") == 2
    assert drive.exit_code is None
    drive.tell(said("response.created", response={"id": "resp_2"}), done("resp_2", output=[written("item_b")]))
    assert drive.exit_code == 0


def test_a_reply_whose_deltas_are_lost_is_taken_from_the_final_item() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"))
    output = [
        {"id": "item_a", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
    ]
    drive.tell(said("response.created", response={"id": "resp_1"}), done(output=output))
    assert [x.text for x in drive.shown(AssistantSaid)] == ["Yes."]


def test_a_recording_is_fed_then_committed_then_answered() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Spoken("blocks"), f.InputsEnded())
    assert [x.source for x in drive.effects if isinstance(x, e.Feed)] == ["blocks"]
    assert drive.exit_code is None
    drive.tell(f.Fed())
    assert drive.sent_types[1:] == ["input_audio_buffer.commit", "response.create"]


def test_a_turn_ends_when_its_audio_has_been_heard_and_not_when_the_response_is_done() -> None:
    drive = Drive(max_turns=1).tell(HELLO, *user_turn(), *reply(), done())
    drive.tell(said("conversation.item.input_audio_transcription.completed", item_id="item_u", transcript="Hi."))
    assert drive.core.snapshot().phase is Phase.SPEAKING
    assert drive.exit_code is None
    drive.tell(f.Heard("item_a", 0, 2000, finished=True))
    assert [(x.text, x.heard_ms) for x in drive.shown(AssistantSaid)] == [("Hello there friend", 2000)]
    assert drive.exit_code == 0


def test_the_users_line_is_reserved_before_its_transcript_which_may_come_after_the_reply() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), done(), f.Heard("item_a", 0, 2000, finished=True))
    assert [(line.role, line.text, line.pending) for line in drive.core.snapshot().lines] == [
        ("user", "", True),
        ("assistant", "Hello there friend", False),
    ]
    drive.tell(said("conversation.item.input_audio_transcription.completed", item_id="item_u", transcript=" What? "))
    told = [x.record for x in drive.effects if isinstance(x, e.Show) and isinstance(x.record, UserSaid | AssistantSaid)]
    assert [(x.text, getattr(x, "late", False)) for x in told] == [("What?", False), ("Hello there friend", False)]
    assert drive.core.snapshot().lines == ()


def test_items_are_ordered_by_their_predecessor_and_not_by_arrival() -> None:
    drive = Drive().tell(HELLO)
    user = {"type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    drive.tell(said("conversation.item.added", item={"id": "item_1", **user}))
    drive.tell(said("conversation.item.added", item={"id": "item_3", **user}, previous_item_id="item_1"))
    drive.tell(said("conversation.item.added", item={"id": "item_2", **user}, previous_item_id="item_1"))
    assert [line.item_id for line in drive.core.snapshot().lines] == ["item_1", "item_2", "item_3"]


def test_spoken_turns_and_replies_without_ids_are_kept_apart() -> None:
    nameless = said("response.output_audio_transcript.delta", delta="Hello.")
    drive = Drive(plays=False).tell(HELLO)
    for _ in range(2):
        drive.tell(said("input_audio_buffer.speech_started"), said("input_audio_buffer.speech_stopped"))
        drive.tell(said("input_audio_buffer.committed"), said("response.created"), nameless)
        drive.tell(said("conversation.item.input_audio_transcription.completed", transcript="Hi."))
        drive.tell(said("response.done", response={"status": "completed"}))
    assert [told.text for told in drive.shown(UserSaid)] == ["Hi.", "Hi."]
    assert [told.text for told in drive.shown(AssistantSaid)] == ["Hello.", "Hello."]


def test_a_response_refused_because_another_is_active_is_asked_for_again_after_it() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"))
    drive.tell(said("error", error={"code": "conversation_already_has_active_response", "message": "x"}))
    drive.tell(said("response.created", response={"id": "resp_0"}), done("resp_0"))
    assert drive.sent_types.count("response.create") == 2


def test_usage_is_reported_for_a_response_and_summed() -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"cached_tokens": 4}}
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO)
    drive.tell(f.Typed("hi"), at=1.0)
    drive.tell(said("response.created", response={"id": "resp_1"}), done(usage=usage), at=1.5)
    (report,) = drive.shown(UsageReported)
    assert (report.input_tokens, report.output_tokens, report.cached_tokens, report.done_ms) == (10, 5, 4, 500)
    drive.tell(f.Typed("hi"), said("response.created", response={"id": "resp_2"}), done("resp_2", usage=usage))
    assert drive.core.snapshot().totals.input_tokens == 20
