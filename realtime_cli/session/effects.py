"""Carries out what the core asks for, by the connections, the devices and the tools of one session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    CancelTool,
    ChangeDevice,
    CloseMic,
    Connect,
    Drop,
    Effect,
    EndOfAudio,
    Feed,
    FeedSilence,
    Flush,
    Mute,
    OpenMic,
    Pause,
    Play,
    Resume,
    ResumeMic,
    RunTool,
    Send,
    Speak,
    Use,
)
from realtime_cli.session.connections import Connections
from realtime_cli.session.devices import Devices
from realtime_cli.session.drivers import Drivers
from realtime_cli.session.microphone import Microphone
from realtime_cli.session.threads import Threads


class Effects:
    """See the module. Main thread only."""

    def __init__(
        self,
        drivers: Drivers,
        connections: Connections,
        devices: Devices,
        microphone: Microphone,
        threads: Threads,
        post: Callable[[f.Fact], None],
        stopping: threading.Event,
    ) -> None:
        """``post`` takes what a thread that is started here has to tell, on that thread."""
        self._drivers = drivers
        self._connections = connections
        self._devices = devices
        self._microphone = microphone
        self._threads = threads
        self._post = post
        self._stopping = stopping

    def carry_out(self, effect: Effect) -> f.Fact | None:
        """Do it, and return what the core is to be told of it, before the next effect.

        Returns at once, except for another device, for whose start it blocks. Raises InputError for a recording.
        """
        connections, devices = self._connections, self._devices
        match effect:
            case Send():
                if connection := connections.of(effect.epoch):
                    connection.queue.put(effect.event)
            case Speak():
                if connection := connections.of(effect.epoch):
                    connection.speak(effect.dialect)
            case Connect():
                connections.connect(effect.epoch, standby=effect.standby)
            case Use():
                connections.use(effect.epoch)
            case Drop():
                if connections.drop(effect.epoch):
                    self._microphone.detach()
            case ResumeMic():
                if current := connections.current:
                    return self._microphone.attach(current.queue, effect.seconds)
            case Play() | EndOfAudio():
                devices.play(effect)
            case Flush():
                return devices.flush()
            case Pause():
                devices.pause()
            case Resume():
                devices.resume()
            case Mute():
                self._microphone.muted = effect.on
            case ChangeDevice():
                devices.change(effect)
            case OpenMic():
                devices.open_microphone(cut=effect.cut)
            case CloseMic():
                return self._microphone.close()
            case Feed():
                self._feed(effect)
            case FeedSilence():
                self._feed_silence(effect.duration_ms)
            case RunTool():
                self._threads.start(_name_of(effect.run_id), self._run_tool, effect)
            case CancelTool() if self._drivers.tools:
                self._drivers.tools.cancel(effect.run_id)
                self._threads.forget(_name_of(effect.run_id))
        return None

    def _feed(self, effect: Feed) -> None:
        """Send a recording over the current connection; when that is lost, the core asks for it again."""
        current = self._connections.current
        if current is None:
            return
        blocks = self._drivers.open_recording(effect.source, effect.from_ms)
        feed = partial(self._microphone.feed, blocks, current.queue, self._stopping, cut=effect.cut)
        self._threads.start("feeder", feed)

    def _feed_silence(self, duration_ms: int) -> None:
        """Send silence behind what was said, over the current connection."""
        if current := self._connections.current:
            feed = partial(self._microphone.feed_silence, duration_ms, current.queue, self._stopping)
            self._threads.start("silence", feed)

    def _run_tool(self, effect: RunTool) -> None:
        if tools := self._drivers.tools:
            outcome = tools.call(effect.run_id, effect.name, effect.arguments)
            self._post(f.ToolReturned(effect.run_id, outcome))


def _name_of(run_id: str) -> str:
    """The name of the thread that runs a function."""
    return f"call {run_id}"
