"""What a conversation costs while it is held, and when that or silence ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import (
    CostReported,
    Ended,
    LatencyReported,
    Notice,
    TranscriptionUsage,
    UsageReported,
)
from realtime_cli.errors import ConfigError
from realtime_cli.providers.prices import Price, price_list, prices_of
from realtime_cli.settings.config_file import read_config_file
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn

DEAR = price_list().with_own({"m": Price(text=(0, 0, 0), audio=(0, 0, 100_000))})
"""Ten cents a token of the voice."""


def spoken(tokens: int) -> dict[str, Any]:
    """Usage of a reply of so many tokens of voice."""
    details = {"text_tokens": 0, "audio_tokens": tokens}
    return {"input_tokens": 0, "output_tokens": tokens, "output_token_details": details}


def turn(drive: Drive, number: int, tokens: int, at: float) -> None:
    """One turn, answered and heard."""
    response, item = f"resp_{number}", f"item_a{number}"
    drive.tell(*user_turn(f"item_u{number}"), *reply(response, item), at=at)
    drive.tell(done(response, usage=spoken(tokens)), at=at + 1)
    drive.tell(f.Heard(item, 0, 2000, finished=True), at=at + 2)


def test_each_response_tells_its_cost_and_the_sum_so_far() -> None:
    drive = Drive(prices=DEAR, transcribes_user=False).tell(HELLO)
    turn(drive, 1, 3, at=1.0)
    turn(drive, 2, 2, at=10.0)
    assert [usage.usd for usage in drive.shown(UsageReported)] == pytest.approx([0.3, 0.2])
    assert [cost.usd for cost in drive.shown(CostReported)] == pytest.approx([0.3, 0.5])
    assert drive.core.snapshot().totals.usd == pytest.approx(0.5)


def test_the_price_is_that_of_the_model_the_server_names() -> None:
    drive = Drive(prices=price_list()).tell(HELLO)
    drive.tell(*user_turn(), *reply(), done(usage=spoken(10)))
    assert drive.shown(UsageReported)[0].usd is None
    assert drive.shown(CostReported) == [CostReported(usd=0.0, complete=False)]
    named = said("session.created", session={"id": "s", "model": "gpt-realtime-2.1", "type": "realtime"})
    drive = Drive(prices=price_list()).tell(named).tell(*user_turn(), *reply(), done(usage=spoken(10)))
    assert drive.shown(UsageReported)[0].usd == pytest.approx(10 * 64e-6)


def test_a_server_on_this_machine_costs_nothing_and_says_nothing_of_money() -> None:
    drive = Drive(prices=None).tell(HELLO).tell(*user_turn(), *reply(), done(usage=spoken(10)))
    assert drive.shown(UsageReported)[0].usd == 0
    assert drive.shown(CostReported) == []


def test_transcripts_are_paid_too() -> None:
    drive = Drive(prices=price_list(), transcription_model="whisper-1").tell(HELLO, *user_turn())
    drive.tell(
        said(
            "conversation.item.input_audio_transcription.completed",
            item_id="item_u",
            content_index=0,
            transcript="hello",
            usage={"type": "duration", "seconds": 30},
        )
    )
    assert drive.shown(TranscriptionUsage)[0].usd == pytest.approx(0.003)
    assert drive.shown(CostReported)[-1].usd == pytest.approx(0.003)


def test_the_budget_warns_at_four_fifths_and_ends_the_talk_when_the_reply_was_heard() -> None:
    drive = Drive(prices=DEAR, budget_usd=1.0, transcribes_user=False).tell(HELLO)
    turn(drive, 1, 8, at=1.0)
    assert drive.shown(Notice)[-1].text == "$0.8000 of the budget of $1.00 are used up"
    drive.tell(*user_turn("item_u2"), *reply("resp_2", "item_a2"), at=10.0)
    drive.tell(done("resp_2", usage=spoken(4)), at=11.0)
    assert drive.exit_code is None, "the reply is still being heard"
    drive.tell(f.Heard("item_a2", 0, 2000, finished=True), at=13.0)
    assert drive.exit_code == 0
    assert drive.shown(Ended)[0].reason == "budget"
    assert "--budget" in drive.shown(Notice)[-1].text


def test_nobody_speaking_ends_the_talk_after_a_while_of_silence() -> None:
    drive = Drive(idle_timeout_s=120.0, transcribes_user=False).tell(HELLO, at=1.0)
    turn(drive, 1, 1, at=50.0)
    assert drive.core.deadline == 172.0
    drive.tell(*user_turn("item_u2"), *reply("resp_2", "item_a2"), done("resp_2"), at=171.0)
    drive.tell(f.Tick(), at=172.0)
    drive.tell(f.Heard("item_a2", 0, 2000, finished=True), at=175.0)
    assert drive.exit_code is None
    drive.tell(f.Tick(), at=295.0)
    assert drive.exit_code == 0
    assert drive.shown(Ended)[0].reason == "idle"


def test_the_wait_for_the_first_sound_is_told_once_in_its_parts() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, said("input_audio_buffer.speech_started", item_id="u"))
    drive.tell(said("input_audio_buffer.speech_stopped", item_id="u"), at=10.0)
    drive.tell(said("input_audio_buffer.committed", item_id="u"), at=10.1)
    drive.tell(*reply(), at=10.5).tell(done(), at=10.6)
    drive.tell(f.Heard("item_a", 0, 0, finished=False), at=10.7)
    drive.tell(f.Heard("item_a", 0, 20, finished=False), at=10.75)
    drive.tell(f.Heard("item_a", 0, 40, finished=False), at=10.8)
    expected = LatencyReported(
        item_id="item_a", committed_ms=100, first_text_ms=500, first_audio_ms=500, audible_ms=730
    )
    assert drive.shown(LatencyReported) == [expected]


def test_a_budget_can_be_set_in_mid_conversation_and_what_was_used_be_asked_for() -> None:
    drive = Drive(prices=DEAR, transcribes_user=False).tell(HELLO)
    turn(drive, 1, 8, at=1.0)
    drive.tell(f.UsageAsked(), f.BudgetSet(2.0), at=5.0)
    assert [notice.text for notice in drive.shown(Notice)] == [
        "1 turns, 0 tokens in, 8 out: $0.8000",
        "the budget is $2.00, of which $0.8000 are used up",
    ]
    assert drive.exit_code is None
    drive.tell(f.BudgetSet(0.5), at=6.0)
    assert drive.exit_code == 0


def test_prices_of_ones_own_stand_in_the_config_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[prices."my-model"]\naudio = [1, 0.5, 2]\nper-minute = 0.1\n')
    assert prices_of(read_config_file(path)).price("my-model") == Price(audio=(1, 0.5, 2), per_minute=0.1)
    for wrong in ("audio = 3", "audio = [1, 2]", "gold = 1"):
        path.write_text(f'[prices."my-model"]\n{wrong}\n')
        with pytest.raises(ConfigError, match=r"prices\.my-model"):
            prices_of(read_config_file(path))
