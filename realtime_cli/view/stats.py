"""``--stats``: one line a turn with its latencies and tokens, beside any other view."""

from __future__ import annotations

from typing import TextIO

from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    AudioReported,
    Ended,
    LatencyReported,
    Notice,
    Record,
    Snapshot,
    UsageReported,
)
from realtime_cli.ports import View
from realtime_cli.providers.prices import dollars


class StatsView:
    """Wraps ``inner``. The line goes to ``err``, or through ``inner`` as a notice where that owns the screen."""

    def __init__(self, inner: View, err: TextIO | None = None) -> None:
        self._inner = inner
        self._err = err
        self._replying = False
        self._waiting: list[str] = []
        self._heard = ""

    @property
    def frame_s(self) -> float | None:
        """As the wrapped view."""
        return self._inner.frame_s

    def open(self) -> None:
        """Open the wrapped view."""
        self._inner.open()

    def show(self, record: Record, t: float) -> None:
        """Show the record, and under a finished reply its statistics. Raises BrokenPipeError."""
        match record:
            case AssistantDelta():
                self._replying = True
            case AssistantSaid():
                self._replying = False
            case UsageReported():
                self._waiting.append(stats_line(record))
            case LatencyReported(audible_ms=ms) if ms is not None:
                self._heard = f" · heard {duration(ms)}"
            case AudioReported():
                self._waiting.append(audio_line(record))
            case Ended():
                self._replying = False
                # The end is the last record of all.
                self._tell(t)
        self._inner.show(record, t)
        if not self._replying:
            self._tell(t)

    def draw(self, snapshot: Snapshot) -> None:
        """Draw the wrapped view."""
        self._inner.draw(snapshot)

    def close(self) -> None:
        """Close the wrapped view."""
        self._inner.close()

    def _tell(self, t: float) -> None:
        """A response's sums come before its audio was heard: they wait for the reply they belong to."""
        lines, self._waiting = self._waiting, []
        if lines:
            lines[0] += self._heard
            self._heard = ""
        for line in lines:
            if self._err:
                self._err.write(f"{line}\n")
                self._err.flush()
            else:
                self._inner.show(Notice(text=line), t)


def stats_line(usage: UsageReported) -> str:
    """The line for one response."""
    latencies = [
        f"{name} {duration(ms)}"
        for name, ms in (
            ("first text", usage.first_text_ms),
            ("first audio", usage.first_audio_ms),
            ("done", usage.done_ms),
        )
        if ms is not None
    ]
    cached = f" ({usage.cached_tokens} cached)" if usage.cached_tokens else ""
    tokens = f"{usage.input_tokens} tokens in{cached}, {usage.output_tokens} out"
    return "stats: " + " · ".join([*latencies, tokens, *_cost(usage)])


def _cost(usage: UsageReported) -> list[str]:
    """What a turn cost, where it cost something."""
    if usage.usd is None:
        return ["no price known"] if usage.input_tokens or usage.output_tokens else []
    return [dollars(usage.usd)] if usage.usd else []


def audio_line(audio: AudioReported) -> str:
    """The line for the session's sound."""
    network = f"{audio.underruns} underruns, {audio.dropped_blocks} blocks dropped"
    return f"stats: sound: {network} · device: {audio.underflows} underflows, {audio.overflows} overflows"


def duration(ms: int) -> str:
    """Milliseconds for people."""
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.2f} s"
