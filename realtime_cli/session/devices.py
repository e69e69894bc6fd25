"""The microphone and the loudspeaker of one session, and what is being played. Main thread, where nothing else is said.

A source runs from the opening of the microphone to its closing, a sink to the end; either may be changed meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import ChangeDevice, EndOfAudio, Play
from realtime_cli.conversation.records import AudioReported, SourceState
from realtime_cli.errors import RealtimeError
from realtime_cli.ports import AudioSink, AudioSource, Deliver, EchoControl, Note, Recorder
from realtime_cli.session.drivers import Drivers
from realtime_cli.session.echo_control import overheard, recording
from realtime_cli.session.microphone import Microphone
from realtime_cli.session.threads import Threads
from realtime_cli.session.workers import Player


class Devices:
    """See the module."""

    def __init__(
        self, drivers: Drivers, microphone: Microphone, threads: Threads, post: Callable[[f.Fact], None], note: Note
    ) -> None:
        """``post`` and ``note`` may be called on any thread."""
        self._drivers = drivers
        self._microphone = microphone
        self._threads = threads
        self._post = post
        self._note = note
        self._player: Player | None = None
        self._source: AudioSource | None = None
        self._sink: AudioSink | None = None
        self._recorder: Recorder | None = None
        self._speaker_stopping = threading.Event()
        self._source_state: SourceState = "works"

    @property
    def any(self) -> bool:
        """Whether there is a microphone or a loudspeaker."""
        return self._source is not None or self._sink is not None

    @property
    def undecoded(self) -> int:
        """How many characters of audio wait to be decoded. Any thread."""
        return self._player.undecoded if self._player else 0

    def make(self, recorder: Recorder | None) -> None:
        """Make the drivers; ``recorder`` gets all that is heard and said. Raises InputError."""
        self._recorder = self._microphone.recorder = recorder
        self._source = self._drivers.make_source(self._note)
        self._sink = self._drivers.make_sink(self._note, self._pending_frames)

    def open(self) -> None:
        """Open what there is, and let the loudspeaker play. Blocks meanwhile. Raises AudioError and InputError."""
        if self._sink:
            self._player = Player()
            self._microphone.echo = echo = self._drivers.make_echo_control(self._note)
            self._sink.open()
            self._threads.start("playback", self._player.run)
            self._play_at(self._sink, self._player, echo)
        if self._source:
            self._source.open()

    def change(self, effect: ChangeDevice) -> None:
        """Open another device and let go of the one before; where that cannot be, the one before stays.

        Blocks for the device's start. What is to be played waits, and goes on where it was.
        """
        try:
            if effect.end == "microphone" and self._source:
                self._change_source(self._drivers.other_source(effect.name, self._note), self._source)
            elif effect.end == "speaker" and self._sink and self._player:
                self._change_sink(self._drivers.other_sink(effect.name, self._note), self._sink, self._player)
        except RealtimeError as error:
            self._note(f"the {effect.end} stays as it is: {error}")
        else:
            self._note(f"the {effect.end} is now: {effect.name}")

    def open_microphone(self, *, cut: bool) -> None:
        """Run the source until the microphone is closed; not before, lest a recording begins while nobody listens."""
        opened = self._microphone.open(cut=cut)
        if self._source and opened:
            self._listen_to(self._source, *opened)

    def play(self, effect: Play | EndOfAudio) -> None:
        """Queue a piece of the model's voice, or the end of a part."""
        if self._player:
            self._player.put(effect)

    def pause(self) -> None:
        """Pause the voice where it is."""
        if self._player:
            self._player.playout.pause()

    def resume(self) -> None:
        """Let the voice go on."""
        if self._player:
            self._player.playout.resume()

    def flush(self) -> f.Flushed:
        """Silence the voice, and say what had been heard of it."""
        parts = self._player.playout.flush() if self._player else ()
        return f.Flushed(tuple(f.Heard(p.item_id, p.content_index, p.heard_ms, p.finished) for p in parts))

    def progress(self) -> list[f.Heard]:
        """How far the voice has come."""
        parts = self._player.playout.progress() if self._player else ()
        return [f.Heard(part.item_id, part.content_index, part.heard_ms, part.finished) for part in parts]

    def state_changed(self) -> f.MicState | None:
        """How the microphone does, if that is another than it was when last asked. Names may have changed as well."""
        self._tell_names()
        if self._source is None or self._source.state == self._source_state:
            return None
        self._source_state = self._source.state
        return f.MicState(self._source_state)

    def _tell_names(self) -> None:
        if meters := self._drivers.meters:
            meters.microphone_name = self._source.name if self._source else ""
            meters.speaker_name = self._sink.name if self._sink else ""

    def report(self, dropped_blocks: int) -> AudioReported:
        """What went wrong with the sound so far."""
        return AudioReported(
            underruns=self._player.playout.underruns if self._player else 0,
            underflows=self._sink.underflows if self._sink else 0,
            overflows=self._source.overflows if self._source else 0,
            dropped_blocks=dropped_blocks,
        )

    def stop(self) -> None:
        """Ask the threads to end; does not wait."""
        self._speaker_stopping.set()
        self._microphone.close()
        if self._player:
            self._player.close()

    def close(self) -> None:
        """Let go of the devices."""
        for device in (self._source, self._sink):
            if device:
                device.close()

    def _pending_frames(self) -> int:
        """Frames of the model's voice that can be played now. Any thread."""
        return self._player.playout.pending() if self._player else 0

    def _play_at(self, sink: AudioSink, player: Player, echo: EchoControl | None) -> None:
        """Let a loudspeaker that is open pull what is to be played."""
        listeners: list[Callable[[Any], None]] = [echo.played] if echo else []
        if self._drivers.meters:
            listeners.append(self._drivers.meters.played)
        if self._recorder:
            listeners.append(recording(self._recorder, sink))
        pull = overheard(player.playout.pull, *listeners)
        self._speaker_stopping = threading.Event()
        self._threads.start("speaker", sink.run, pull, self._speaker_stopping)

    def _change_source(self, source: AudioSource, before: AudioSource) -> None:
        source.open()
        self._source = source
        if opened := self._microphone.reopen():
            self._listen_to(source, *opened)
        before.close()

    def _change_sink(self, sink: AudioSink, before: AudioSink, player: Player) -> None:
        sink.open()
        self._speaker_stopping.set()
        before.close()
        self._sink = sink
        self._play_at(sink, player, self._microphone.echo)

    def _listen_to(self, source: AudioSource, deliver: Deliver, closed: threading.Event) -> None:
        self._threads.start("microphone", source.run, deliver, lambda: self._post(f.MicEnded()), closed)
