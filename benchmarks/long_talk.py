"""Ten hours of conversation at a thousand turns an hour, through core and views: time a fact and memory by the hour.

No device, no network: facts are told one after the other, and every effect and snapshot goes to a live view that draws
into nowhere and to a JSON view. What grows with the conversation shows as a rise from hour to hour. Times are of the
thread's own processor time.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.protocol.server_events import server_event_from_object
from realtime_cli.view.jsonl import JsonView
from realtime_cli.view.live import LiveView

HOURS = 10
TURNS_AN_HOUR = 1000
TURN_S = 3600 / TURNS_AN_HOUR
FLAT = 1.2
"""The last hour may take a fifth more than the second: the first one warms up."""

QUARTER_SECOND = "A" * 16_000
"""Base64 of 250 ms of silence."""

WORDS = ["Well,", "that", "is", "a", "long", "story,", "and", "it", "begins", "on", "a", "Tuesday.", ""]


def turn(number: int) -> Iterator[f.Fact]:
    """A spoken turn, its transcript during the reply, and two seconds of reply; each fifth is interrupted."""
    user, response, item = f"item_u{number}", f"resp_{number}", f"item_a{number}"
    place = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}

    def event(kind: str, **fields: object) -> f.Fact:
        return server_event_from_object({"type": kind, **fields})

    yield event("input_audio_buffer.speech_started", item_id=user)
    yield event("input_audio_buffer.speech_stopped", item_id=user)
    yield event("input_audio_buffer.committed", item_id=user)
    yield event("response.created", response={"id": response})
    yield event("response.output_item.added", response_id=response, item={"id": item, "type": "message"})
    for index, word in enumerate(WORDS):
        yield event("response.output_audio_transcript.delta", **place, delta=f"{word} ")
        if index < 8:
            yield event("response.output_audio.delta", **place, delta=QUARTER_SECOND)
    said = "conversation.item.input_audio_transcription.completed"
    yield event(said, item_id=user, transcript=f"This is turn {number}.")
    if number % 5:
        yield event("response.done", response={"id": response, "status": "completed"})
        for heard_ms in range(0, 2000, 50):
            yield f.Heard(item, 0, heard_ms, finished=False)
        yield f.Heard(item, 0, 2000, finished=True)
    else:
        yield f.Heard(item, 0, 900, finished=False)
        yield f.StopReply()
        yield event("response.done", response={"id": response, "status": "cancelled"})


class Talk:
    """The core, and views that are given what a session gives them."""

    def __init__(self) -> None:
        self.core = Conversation(ConversationOptions(provider="benchmark", session={"type": "realtime"}))
        nowhere = Path(os.devnull)
        console = Console(file=nowhere.open("w", encoding="utf-8"), width=80)
        self.views = (LiveView(console, {}), JsonView(nowhere.open("wb")))
        self.now = 0.0
        self.facts = 0
        self.core_s = self.view_s = 0.0
        self.tell(server_event_from_object({"type": "session.created", "session": {"id": "sess_1"}}))

    def tell(self, fact: f.Fact) -> None:
        """Tell a fact, show what is to be shown, and draw."""
        began = time.thread_time()
        effects = self.core.handle(fact, self.now)
        snapshot = self.core.snapshot()
        handled = time.thread_time()
        for effect in effects:
            if isinstance(effect, e.Show):
                for view in self.views:
                    view.show(effect.record, self.now)
        for view in self.views:
            view.draw(snapshot)
        self.facts += 1
        self.core_s += handled - began
        self.view_s += time.thread_time() - handled
        for effect in effects:
            if isinstance(effect, e.Flush):
                self.tell(f.Flushed(()))


def main() -> int:
    """Run, and print a row for each hour; 1 when the last hour takes a fifth more than the second, or keeps more."""
    talk = Talk()
    rows: list[tuple[float, float, float]] = []
    print(__doc__)
    print(f"{'hour':>4}  {'core, µs a fact':>15}  {'views, µs a fact':>16}  {'resident, MB':>12}")
    for hour in range(HOURS):
        talk.facts, talk.core_s, talk.view_s = 0, 0.0, 0.0
        for number in range(hour * TURNS_AN_HOUR, (hour + 1) * TURNS_AN_HOUR):
            talk.now += TURN_S
            for fact in turn(number):
                talk.tell(fact)
        gc.collect()
        rows.append((talk.core_s / talk.facts * 1e6, talk.view_s / talk.facts * 1e6, resident_mb()))
        core_us, view_us, mb = rows[-1]
        print(f"{hour + 1:>4}  {core_us:>15.1f}  {view_us:>16.1f}  {mb:>12.1f}", flush=True)
    flat = all(last <= FLAT * early for early, last in zip(rows[1], rows[-1], strict=True))
    print("flat within a fifth" if flat else "not flat: it grows with the conversation")
    return 0 if flat else 1


def resident_mb() -> float:
    """What the process keeps in memory, where the system tells (Linux's /proc)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) if sys.platform == "linux" else 0
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    sys.exit(main())
