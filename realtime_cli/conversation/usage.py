"""What the conversation cost and how fast it was: tokens, money, and latencies from the end of the user's turn."""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.records import (
    CostReported,
    LatencyReported,
    Notice,
    Totals,
    TranscriptionUsage,
    UsageReported,
)
from realtime_cli.protocol.items import InputTokens, OutputTokens, Response, Usage
from realtime_cli.providers.prices import FREE, Price, PriceList, dollars

WARNING_SHARE = 0.8
"""Of the budget: then the user is told."""


class UsageMeter(msgspec.Struct):
    """The one owner of the sums, over all connections of a conversation."""

    prices: PriceList | None = None
    """None: the server costs nothing."""
    transcription_model: str = ""
    budget_usd: float | None = None
    model: str = ""
    """What answers, as the server names it."""
    usd: float = 0.0
    """The sum of what has a known price."""
    priced: bool = True
    """Whether everything had one."""
    _input: int = 0
    _output: int = 0
    _cached: int = 0
    _warned: bool = False
    _heard_item: str = ""
    """The item that was heard last."""
    _first: dict[str, float] = msgspec.field(default_factory=dict)
    _latest: dict[str, float] = msgspec.field(default_factory=dict)
    """Of the response that is over: its audio is heard later than it comes."""

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.budget_usd is not None and self.usd >= self.budget_usd

    def arrived(self, what: str, now: float) -> None:
        """The first ``text`` or ``audio`` of a response came at ``now``; later pieces do not count."""
        self._first.setdefault(what, now)

    def audible(self, item_id: str, ended_at: float | None, committed_at: float | None, since: float) -> list[Effect]:
        """Some of this reply has been heard; the first time that is how long the user waited.

        ``since``: when it began, if it was played at the pace of speech. (A file takes it faster.)
        """
        if item_id == self._heard_item:
            return []
        self._heard_item = item_id
        if ended_at is None:
            return []
        first = self._first or self._latest
        report = LatencyReported(
            item_id=item_id,
            committed_ms=_since(ended_at, committed_at),
            first_text_ms=_since(ended_at, first.get("text")),
            first_audio_ms=_since(ended_at, first.get("audio")),
            audible_ms=_since(ended_at, max(since, first.get("audio", since))),
        )
        return [Show(report)]

    def response_done(self, response: Response, turn_ended_at: float | None, now: float) -> list[Effect]:
        """Take a response into the sums and report it."""
        first, self._first = self._first, {}
        self._latest = first
        usage = msgspec.structs.replace(
            self._counted(response),
            first_text_ms=_since(turn_ended_at, first.get("text")),
            first_audio_ms=_since(turn_ended_at, first.get("audio")),
            done_ms=_since(turn_ended_at, now),
        )
        return [Show(usage), *self._report(usage.usd)]

    def out_of_band_done(self, response: Response) -> list[Effect]:
        """The same for a response that nobody waits for."""
        usage = self._counted(response)
        return [Show(usage), *self._report(usage.usd)]

    def transcribed(self, item_id: str, usage: Usage | None) -> list[Effect]:
        """Take a transcript of the user's into the sums and report it; servers need not tell what it cost."""
        if usage is None:
            return []
        self._input += usage.input_tokens or 0
        self._output += usage.output_tokens or 0
        report = TranscriptionUsage(
            item_id=item_id,
            seconds=usage.seconds,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            usd=self._cost(usage, self.transcription_model),
        )
        return [Show(report), *self._report(report.usd)]

    def in_words(self, turns: int) -> str:
        """The sums so far, as a line for the user."""
        cached = f" ({self._cached:,} cached)" if self._cached else ""
        words = f"{turns} turns, {self._input:,} tokens in{cached}, {self._output:,} out"
        if self.prices is None:
            return f"{words}: free"
        cost = (
            dollars(self.usd) if self.priced else f"at least {dollars(self.usd)}, as not everything has a known price"
        )
        budget = f" of a budget of {dollars(self.budget_usd)}" if self.budget_usd is not None else ""
        return f"{words}: {cost}{budget}"

    def set_budget(self, usd: float) -> list[Effect]:
        """The user sets a budget, or another; it counts from the beginning of the conversation."""
        self.budget_usd, self._warned = usd, False
        return [Show(Notice(text=f"the budget is {dollars(usd)}, of which {dollars(self.usd)} are used up"))]

    def totals(self, turns: int) -> Totals:
        """The sums so far."""
        return Totals(
            turns=turns,
            input_tokens=self._input,
            output_tokens=self._output,
            cached_tokens=self._cached,
            usd=self.usd,
            priced=self.priced,
        )

    def _counted(self, response: Response) -> UsageReported:
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
            usd=self._cost(usage, self.model) if response.usage else None,
        )

    def _cost(self, usage: Usage, model: str) -> float | None:
        price: Price | None = FREE if self.prices is None else self.prices.price(model)
        return None if price is None else price.of(usage)

    def _report(self, usd: float | None) -> list[Effect]:
        """Add to the sum and tell it; warn of the budget when four fifths of it are used up."""
        before = (self.usd, self.priced)
        self.priced = self.priced and usd is not None
        # Rounded to a hundredth of what a token costs, so that sums of tenths are what they look like.
        self.usd = round(self.usd + (usd or 0.0), 10)
        told: list[Effect] = []
        if (self.usd, self.priced) != before:
            told.append(Show(CostReported(usd=self.usd, complete=self.priced)))
        if self.budget_usd is not None and not self._warned and self.usd >= WARNING_SHARE * self.budget_usd:
            self._warned = True
            if not self.spent:
                text = f"{dollars(self.usd)} of the budget of {dollars(self.budget_usd)} are used up"
                told.append(Show(Notice(text=text)))
        return told


def _since(start: float | None, at: float | None) -> int | None:
    """Milliseconds between the two; None for what came before it was asked for, which is no latency."""
    return None if start is None or at is None or at < start else round((at - start) * 1000)
