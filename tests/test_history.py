"""Which item is told when: once, whole, in the conversation's order, and what is told is kept no longer."""

from __future__ import annotations

from typing import Any

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.history import HELD_BACK_S, TRANSCRIPT_S
from realtime_cli.conversation.records import AssistantSaid, Phase, UserSaid
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn


def transcript(item: str, text: str) -> Any:
    return said("conversation.item.input_audio_transcription.completed", item_id=item, transcript=text)


def told(drive: Drive) -> list[str]:
    records = [x.record for x in drive.effects if isinstance(x, e.Show)]
    return [
        f"{record.item_id}{'late' * getattr(record, 'late', False)}:{record.text}"
        for record in records
        if isinstance(record, UserSaid | AssistantSaid)
    ]


def answered(drive: Drive, number: int) -> Drive:
    """A turn whose transcript is still to come, and the whole reply to it."""
    drive.tell(*user_turn(f"u{number}"), *reply(f"r{number}", f"a{number}", text="Hello"), done(f"r{number}"))
    return drive.tell(f.Heard(f"a{number}", 0, 2000, finished=True))


def test_an_item_is_told_once_and_only_when_it_is_whole() -> None:
    drive = Drive().tell(HELLO, *user_turn("u1"), transcript("u1", "Hi"), *reply("r1", "a1", text="Hello"))
    assert told(drive) == ["u1:Hi"]
    drive.tell(done("r1"))
    assert told(drive) == ["u1:Hi"]
    heard = f.Heard("a1", 0, 2000, finished=True)
    drive.tell(heard, heard, transcript("u1", "Ho"), *reply("r1", "a1", text="Again")[1:])
    assert told(drive) == ["u1:Hi", "a1:Hello"]
    assert drive.core.snapshot().lines == ()


def test_a_transcript_on_its_way_holds_back_the_answer_to_it() -> None:
    drive = answered(Drive().tell(HELLO), 1)
    assert told(drive) == []
    assert told(drive.tell(transcript("u1", "Hi"))) == ["u1:Hi", "a1:Hello"]


def test_a_transcript_that_does_not_come_holds_the_answer_back_for_a_while_only_and_is_told_late() -> None:
    drive = answered(Drive().tell(HELLO), 1)
    assert drive.core.deadline == HELD_BACK_S
    assert told(drive.tell(f.Tick(), at=HELD_BACK_S)) == ["a1:Hello"]
    drive.tell(*user_turn("u2"), transcript("u2", "More"))
    assert told(drive) == ["a1:Hello", "u2:More"]
    assert told(drive.tell(transcript("u1", "Hi"))) == ["a1:Hello", "u2:More", "u1late:Hi"]


def test_a_transcript_that_never_comes_is_given_up_and_the_turn_is_told_as_far_as_it_came() -> None:
    drive = answered(Drive().tell(HELLO), 1)
    drive.tell(said("conversation.item.input_audio_transcription.delta", item_id="u1", delta="Hi th"))
    drive.tell(f.Tick(), at=TRANSCRIPT_S)
    assert told(drive) == ["u1:Hi th", "a1:Hello"]
    assert told(drive.tell(transcript("u1", "Hi there"))) == ["u1:Hi th", "a1:Hello"]


def test_a_written_turn_is_told_before_the_transcript_of_what_was_said_before_it_comes_if_that_takes_long() -> None:
    drive = answered(Drive().tell(HELLO), 1).tell(f.Typed("and?"))
    assert told(drive) == []
    assert told(drive.tell(f.Tick(), at=HELD_BACK_S)) == ["a1:Hello", "typed_000001:and?"]


def test_at_the_end_everything_that_is_left_is_told() -> None:
    drive = Drive(max_turns=1).tell(HELLO, *user_turn("u1"), *reply("r1", "a1", text="Hello"), done("r1"))
    drive.tell(f.Heard("a1", 0, 2000, finished=True), at=1.0)
    drive.tell(f.Tick(), at=4.0)
    assert told(drive) == ["u1:", "a1:Hello"]
    assert drive.exit_code == 0


def test_speech_that_became_no_turn_is_not_told() -> None:
    drive = Drive().tell(HELLO, *user_turn("u1")[:2], at=1.0)
    assert [line.item_id for line in drive.core.snapshot().lines] == ["u1"]
    drive.tell(f.Tick(), at=11.0)
    assert drive.core.snapshot().lines == ()
    assert told(drive) == []
    drive.tell(*user_turn("u2")[:1], *user_turn("u3")[:1])
    assert [line.item_id for line in drive.core.snapshot().lines] == ["u3"]


def test_words_of_the_users_that_came_before_the_end_are_told() -> None:
    drive = Drive().tell(HELLO, *user_turn("u1"), *user_turn("u2"))
    drive.tell(said("conversation.item.input_audio_transcription.delta", item_id="u2", delta="Wait, I"), f.Quit(130))
    assert told(drive) == ["u2:Wait, I"]


def test_speech_that_is_committed_under_another_id_is_over() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn("u1")[:1], *user_turn("u2")[2:])
    assert drive.core.snapshot().phase is Phase.THINKING
    assert told(drive) == ["u2:"]
