"""A call of another client's, followed from the side: what is told of it, how far replies were heard, what is sent."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.call_playback import CUT_S, SOUNDLESS_S
from realtime_cli.conversation.options import JoinedCall
from realtime_cli.conversation.records import AssistantSaid, ConnectionChanged, SessionStarted, Trouble, UserSaid
from realtime_cli.errors import ConnectionFailed
from tests.calls_driver import call, item_done, result, tools
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn

TEXT = "Hello there friend of mine"


def joined(**options: Any) -> Drive:
    """A call that was joined."""
    following = {"interruptions": "never", "plays": False, "can_cancel": False, "can_truncate": False}
    drive = Drive(joined=JoinedCall("rtc_1", "m"), reconnect_s=60.0, **{**following, **options})
    return drive.tell(f.Opened(None))


def spoken(response: str = "resp_1", item: str = "item_a", text: str = TEXT) -> list[Any]:
    """A reply whose sound goes elsewhere."""
    return [*reply(response, item, seconds=0, text=text), sound("started", response)]


def sound(how: str, response: str = "resp_1") -> Any:
    return said(f"output_audio_buffer.{how}", response_id=response)


def truncated(ms: int, item: str = "item_a") -> Any:
    return said("conversation.item.truncated", item_id=item, content_index=0, audio_end_ms=ms)


def retrieved(words: str, item: str = "item_a") -> Any:
    content = [{"type": "output_audio", "transcript": words}]
    item_of = {"id": item, "type": "message", "role": "assistant", "content": content}
    return said("conversation.item.retrieved", item=item_of)


def replies(drive: Drive) -> list[tuple[str, int | None, bool]]:
    return [(told.text, told.heard_ms, told.interrupted) for told in drive.shown(AssistantSaid)]


def test_who_joins_sends_nothing_and_knows_the_session_at_once_and_its_model_when_that_is_told() -> None:
    drive = joined()
    assert drive.sent == []
    assert [session.id for session in drive.shown(SessionStarted)] == ["rtc_1"]
    drive.tell(said("session.created", session={"id": "sess_9", "model": "m-2026"}), HELLO)
    assert [session.model for session in drive.shown(SessionStarted)] == ["m", "m-2026", "m"]
    assert drive.sent == []


def test_functions_are_offered_when_they_are_known_and_run_for_the_other_client() -> None:
    drive = joined(offers_tools=True).tell(tools("look"))
    assert drive.sent_types == ["session.update"]
    drive.tell(said("response.created", response={"id": "resp_1"}), item_done(call()), result(), done())
    assert drive.sent_types == ["session.update", "conversation.item.create", "response.create"]


def test_what_the_other_client_writes_is_told_but_for_the_past_that_it_repeats() -> None:
    def written(name: str, text: str) -> Any:
        content = [{"type": "input_text", "text": text}]
        return said("conversation.item.added", item={"id": name, "type": "message", "role": "user", "content": content})

    drive = joined().tell(written("past_000001", "Before."), written("item_1", "Now."), written("item_1", "Now."))
    assert [user.text for user in drive.shown(UserSaid)] == ["Now."]


def test_a_reply_is_told_when_all_of_its_sound_was_sent() -> None:
    drive = joined().tell(*spoken(), done(), at=1.0)
    assert replies(drive) == []
    drive.tell(sound("stopped"), at=3.5)
    assert replies(drive) == [(TEXT, 2500, False)]


@pytest.mark.parametrize("order", ["cleared first", "truncated first"])
@pytest.mark.parametrize("ended", ["before", "by it"])
def test_of_a_reply_that_the_server_cuts_what_was_heard_is_told(order: str, ended: str) -> None:
    drive = joined().tell(*spoken(), at=1.0)
    if ended == "before":
        drive.tell(done(), at=1.1)
    drive.tell(*user_turn()[:1], at=2.0)
    if ended == "by it":
        drive.tell(done(status="cancelled"))
    news = [sound("cleared"), truncated(900)]
    drive.tell(*(news if order == "cleared first" else news[::-1]))
    assert replies(drive) == []
    drive.tell(retrieved("Hello there"), at=2.1)
    assert replies(drive) == [("Hello there", 900, True)]
    assert drive.sent == []


def test_where_nobody_says_which_words_are_left_they_are_estimated_and_never_too_many() -> None:
    drive = joined().tell(*spoken(), done(), at=1.0).tell(truncated(700), at=2.0)
    drive.tell(f.Tick(), at=2.0 + CUT_S)
    assert replies(drive) == [("Hello there", 700, True)]


def test_a_server_that_tells_nothing_of_sound_is_taken_at_its_words() -> None:
    drive = joined().tell(*spoken()[:-1], done(), at=1.0)
    assert replies(drive) == []
    drive.tell(f.Tick(), at=1.0 + SOUNDLESS_S)
    assert [text for text, _, _ in replies(drive)] == [TEXT]


def test_a_call_that_ends_in_mid_reply_leaves_what_was_heard() -> None:
    drive = joined().tell(*spoken(), at=1.0).tell(f.Quit(), at=1.7)
    assert replies(drive) == [("Hello there", 700, True)]
    assert drive.exit_code == 0


def test_what_goes_on_in_the_call_survives_a_lost_connection_and_what_is_told_twice_is_once() -> None:
    drive = joined(offers_tools=True, transcribes_user=False).tell(tools("look"), *user_turn(), *spoken(), at=1.0)
    drive.tell(f.Lost(ConnectionFailed("gone", recoverable=True)), at=1.2).tell(f.Tick(), at=3.0)
    drive.tell(f.Opened(None), at=3.1)
    assert [change.state for change in drive.shown(ConnectionChanged)] == ["lost", "retrying", "restored"]
    drive.tell(*user_turn(), *spoken()[:1], done(), sound("stopped"), at=3.5)
    assert replies(drive) == [(TEXT, 2500, False)]
    assert drive.sent_types == ["session.update", "session.update"]


def test_an_error_that_answers_the_other_client_is_none_of_ours() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "event_id": "page_1"}
    drive = joined().tell(said("error", error=error))
    assert drive.shown(Trouble) == []
    assert drive.exit_code is None


def test_a_result_that_comes_while_the_connection_is_lost_is_sent_when_it_is_back() -> None:
    drive = joined(offers_tools=True).tell(tools("look"), said("response.created", response={"id": "resp_1"}))
    drive.tell(item_done(call()), done())
    drive.tell(f.Lost(ConnectionFailed("gone", recoverable=True)), result())
    assert drive.sent_types == ["session.update"]
    drive.tell(f.Tick(), at=2.0).tell(f.Opened(None), at=2.1)
    sent = ["session.update", "session.update", "conversation.item.create", "response.create"]
    assert drive.sent_types == sent
