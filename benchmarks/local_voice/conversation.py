"""A spoken conversation with the embedded server in this process, held at the pace of speech."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from benchmarks.local_voice.clips import ROOM, Samples
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS, RATE_HZ
from realtime_cli.protocol.dialects import append_message
from realtime_cli.server.core.core import SessionPlan
from realtime_cli.server.local_server import LocalServer

LONGEST_WAIT_S = 60.0

SETTINGS = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was, on the clock and in seconds of all cores that this process had used."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls) -> Moment:
        """Now."""
        return cls(time.monotonic(), time.process_time())

    def since(self, other: Moment) -> tuple[float, float]:
        """Seconds on the clock and of processors."""
        return self.wall_s - other.wall_s, self.cpu_s - other.cpu_s


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of something that was said."""

    ended: Moment
    """The end of the speech."""
    endpoint: Moment
    first: Moment
    """The first sound of the reply."""
    done: Moment
    heard: str
    cut_off: bool
    """The turn was taken for over in a pause before its end."""


class Conversation:
    """A microphone and a client of the server."""

    def __init__(self, server: LocalServer) -> None:
        self._events: SimpleQueue[tuple[Moment, dict[str, Any]]] = SimpleQueue()
        self._speech: SimpleQueue[Samples] = SimpleQueue()
        self._spoken: SimpleQueue[Moment] = SimpleQueue()
        self._stopping = threading.Event()
        plan = SessionPlan(settings=SETTINGS)
        self._line = server.connect(self._take, lambda _ending: None, plan)
        self._microphone = threading.Thread(target=self._run, name="microphone")
        self._microphone.start()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._microphone.join()
        self._line.close()

    def send(self, kind: str, **fields: Any) -> None:
        """An event of the client's."""
        self._line.receive(json.dumps({"type": kind, **fields}))

    def begin_to_say(self, speech: Samples) -> None:
        """Say something, from the next block on. Does not block."""
        self._speech.put(speech)

    def ask(self, speech: Samples) -> Turn:
        """Say something and wait for the whole reply to it."""
        self.begin_to_say(speech)
        heard, endpoints, first = "", [], None
        while True:
            moment, event = self.next()
            match event["type"]:
                case "input_audio_buffer.speech_started":
                    first = None
                case "input_audio_buffer.speech_stopped":
                    endpoints.append(moment)
                case "conversation.item.input_audio_transcription.completed":
                    heard += f" {event['transcript']}"
                case "response.output_audio.delta":
                    first = first or moment
                case "response.done" if first and event["response"]["status"] == "completed" and self._said():
                    ended = self._spoken.get()
                    cut_off = len(endpoints) > 1 or endpoints[-1].wall_s < ended.wall_s
                    return Turn(ended, endpoints[-1], first, moment, heard, cut_off)

    def until(self, kind: str) -> tuple[Moment, dict[str, Any]]:
        """The next event of this type."""
        while True:
            moment, event = self.next()
            if event["type"] == kind:
                return moment, event

    def next(self) -> tuple[Moment, dict[str, Any]]:
        """The next event, and when it came."""
        moment, event = self._events.get(timeout=LONGEST_WAIT_S)
        if event["type"] == "error":
            raise RuntimeError(event["error"]["message"])
        return moment, event

    def waiting(self) -> Iterator[tuple[Moment, dict[str, Any]]]:
        """The events that have come and were not looked at."""
        while not self._events.empty():
            yield self._events.get()

    def _said(self) -> bool:
        return not self._spoken.empty()

    def _take(self, text: str) -> None:
        self._events.put((Moment.now(), json.loads(text)))

    def _run(self) -> None:
        """A microphone that delivers the room, and speech when there is some."""
        waiting = np.zeros(0, np.int16)
        room = np.random.default_rng(0)
        due_s = time.monotonic()
        speaking = False
        while not self._stopping.is_set():
            if not len(waiting):
                with suppress(Empty):
                    waiting, speaking = self._speech.get_nowait(), True
            said, waiting = waiting[:BLOCK_FRAMES], waiting[BLOCK_FRAMES:]
            block = room.normal(0, ROOM, BLOCK_FRAMES).astype(np.int16)
            block[: len(said)] += said
            due_s += BLOCK_MS / 1000
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._line.receive(append_message(block.tobytes()))
            if speaking and not len(waiting):
                # The last block may be a short one: the speech ended that long before its end.
                self._spoken.put(Moment(due_s - (BLOCK_FRAMES - len(said)) / RATE_HZ, time.process_time()))
                speaking = False
