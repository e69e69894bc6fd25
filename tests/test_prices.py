"""What a turn costs, against sums done by hand."""

from __future__ import annotations

import pytest

from realtime_cli.protocol.items import CachedTokens, InputTokens, OutputTokens, Usage
from realtime_cli.providers.prices import FREE, Price, price_list


def price(model: str) -> Price:
    found = price_list().price(model)
    assert found is not None
    return found


def spoken(**read: int) -> Usage:
    """A spoken turn: 1,000 tokens of the past as text, 100 s of the user's audio; 50 and 200 tokens come back."""
    cached = CachedTokens(**{name: read.pop(name) for name in ("text_tokens", "audio_tokens") if name in read})
    return Usage(
        input_tokens=2_000,
        output_tokens=250,
        input_token_details=InputTokens(
            text_tokens=1_000,
            audio_tokens=1_000,
            cached_tokens=read.get("cached", 0),
            cached_tokens_details=None if "cached" in read else cached,
        ),
        output_token_details=OutputTokens(text_tokens=50, audio_tokens=200),
    )


def test_text_and_audio_have_prices_of_their_own_in_both_directions() -> None:
    # 1,000 x 4 + 1,000 x 32 + 50 x 24 + 200 x 64 = 50,000 millionths
    assert price("gpt-realtime-2.1").of(spoken()) == pytest.approx(0.05)


def test_cached_tokens_are_a_part_of_the_input_and_not_paid_twice() -> None:
    # 200 x 4 + 800 x 0.4 + 400 x 32 + 600 x 0.4 + 50 x 24 + 200 x 64 = 28,160 millionths
    usage = spoken(text_tokens=800, audio_tokens=600)
    assert price("gpt-realtime-2.1").of(usage) == pytest.approx(0.02816)


def test_cached_audio_has_a_price_of_its_own() -> None:
    # 1,000 x 0.6 + 500 x 10 + 500 x 0.3 + 50 x 2.4 + 200 x 20 = 9,870 millionths
    assert price("gpt-realtime-2.1-mini").of(spoken(audio_tokens=500)) == pytest.approx(0.00987)


def test_cached_tokens_of_no_kind_are_taken_for_what_they_save_least_on() -> None:
    # 1,000 cached text and 200 cached audio: 1,000 x 0.4 + 800 x 32 + 200 x 0.4 + 50 x 24 + 200 x 64
    assert price("gpt-realtime-2.1").of(spoken(cached=1_200)) == pytest.approx(0.04008)


def test_more_cached_tokens_than_there_are_cost_nothing_below_zero() -> None:
    usage = Usage(
        input_tokens=10,
        input_token_details=InputTokens(text_tokens=10, cached_tokens_details=CachedTokens(text_tokens=500)),
    )
    assert price("gpt-realtime-2.1").of(usage) == pytest.approx(10 * 0.4e-6)


def test_images_are_paid_as_images() -> None:
    usage = Usage(
        input_tokens=300,
        input_token_details=InputTokens(image_tokens=300, cached_tokens_details=CachedTokens(image_tokens=100)),
    )
    assert price("gpt-realtime-2.1").of(usage) == pytest.approx((200 * 5 + 100 * 0.5) * 1e-6)
    assert price("gpt-realtime").of(usage) is None, "no price is known for images with this model"


def test_a_transcript_is_paid_by_the_minute_or_by_its_tokens_as_its_model_counts() -> None:
    assert price("whisper-1").of(Usage(type="duration", seconds=90)) == pytest.approx(0.009)
    counted = Usage(type="tokens", input_tokens=1_000, output_tokens=100)
    assert price("gpt-4o-transcribe").of(counted) == pytest.approx(0.0035)
    assert price("whisper-1").of(counted) is None


def test_a_sum_without_its_parts_has_no_price() -> None:
    assert price("gpt-realtime-2.1").of(Usage(input_tokens=100, output_tokens=10)) is None
    assert price("gpt-realtime-2.1").of(Usage()) == 0


def test_a_snapshot_costs_what_its_model_costs() -> None:
    assert price("gpt-realtime-2025-08-28") == price("gpt-realtime")


def test_an_unknown_model_has_no_price_and_a_local_one_costs_nothing() -> None:
    assert price_list().price("grok-voice-latest") is None
    assert FREE.of(spoken()) == 0
    assert FREE.of(Usage(type="duration", seconds=600)) == 0


def test_the_users_own_prices_go_before_the_list() -> None:
    own = price_list().with_own({"gpt-realtime-2.1": Price(text=(1, 1, 1), audio=(1, 1, 1)), "mine": Price()})
    assert own.price("gpt-realtime-2.1") == Price(text=(1, 1, 1), audio=(1, 1, 1))
    assert own.price("gpt-realtime-2") == price_list().price("gpt-realtime-2")


def test_every_price_says_where_it_is_from() -> None:
    assert all(each.source for each in price_list().models.values())
