"""What the conversation cost and how fast it was: tokens, and latencies from the end of the user's turn."""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.records import Totals, UsageReported
from realtime_cli.protocol.items import InputTokens, OutputTokens, Response, Usage


class UsageMeter(msgspec.Struct):
    """The one owner of the sums."""

    _input: int = 0
    _output: int = 0
    _cached: int = 0
    _first: dict[str, float] = msgspec.field(default_factory=dict)

    def arrived(self, what: str, now: float) -> None:
        """The first ``text`` or ``audio`` of a response came at ``now``; later pieces do not count."""
        self._first.setdefault(what, now)

    def response_done(self, response: Response, turn_ended_at: float | None, now: float) -> UsageReported:
        """Take a response into the sums and report it."""
        first, self._first = self._first, {}
        return msgspec.structs.replace(
            self.out_of_band_done(response),
            first_text_ms=_since(turn_ended_at, first.get("text")),
            first_audio_ms=_since(turn_ended_at, first.get("audio")),
            done_ms=_since(turn_ended_at, now),
        )

    def out_of_band_done(self, response: Response) -> UsageReported:
        """The same for a response that nobody waits for."""
        usage = response.usage or Usage()
        read = usage.input_token_details or InputTokens()
        wrote = usage.output_token_details or OutputTokens()
        self._input += usage.input_tokens or 0
        self._output += usage.output_tokens or 0
        self._cached += read.cached_tokens or 0
        return UsageReported(
            response_id=response.id,
            input_tokens=usage.input_tokens or 0,
            output_tokens=usage.output_tokens or 0,
            cached_tokens=read.cached_tokens or 0,
            input_text_tokens=read.text_tokens or 0,
            input_audio_tokens=read.audio_tokens or 0,
            output_text_tokens=wrote.text_tokens or 0,
            output_audio_tokens=wrote.audio_tokens or 0,
        )

    def totals(self, turns: int) -> Totals:
        """The sums so far."""
        return Totals(turns=turns, input_tokens=self._input, output_tokens=self._output, cached_tokens=self._cached)


def _since(start: float | None, at: float | None) -> int | None:
    """Milliseconds between the two; None for what came before it was asked for, which is no latency."""
    return None if start is None or at is None or at < start else round((at - start) * 1000)
