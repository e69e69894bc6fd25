"""Hearing and speaking at the same time: which echo control a conversation gets, and how it learns what is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from realtime_cli.ports import AudioSink, EchoControl, Pull, Recorder
    from realtime_cli.settings.settings import Settings

HALF_DUPLEX = "half duplex: nothing you say is heard while the model speaks"


def choose_echo_control(settings: Settings, on_notice: Callable[[str], None]) -> EchoControl | None:
    """What the settings ask for, or None where there is nothing to control: files and pipes have no echo, and a key
    that opens the microphone also stops the model.

    ``on_notice`` takes one line for the user, on any thread. Loads the canceller; main thread.
    """
    if settings.ptt:
        return None
    if settings.half_duplex:
        on_notice(HALF_DUPLEX)
        from realtime_cli.audio.core.gates import HalfDuplex  # numpy: written turns do without

        return HalfDuplex()
    from realtime_cli.audio.drivers.choose import is_device  # loads the drivers

    if not (settings.aec and is_device(settings.mic) and is_device(settings.speaker)):
        return None
    from realtime_cli.audio.core.echo_canceller import (  # numpy, and the canceller's library
        EchoCanceller,
        webrtc_canceller,
    )

    return EchoCanceller(webrtc_canceller(), on_notice)


def overheard(pull: Pull, *listeners: Callable[[npt.NDArray[np.int16]], None]) -> Pull:
    """A pull that tells each listener all that is played, on the same thread."""

    def pull_overheard(frames: int) -> npt.NDArray[np.int16]:
        samples = pull(frames)
        for listener in listeners:
            listener(samples)
        return samples

    return pull_overheard


def recording(recorder: Recorder, sink: AudioSink) -> Callable[[npt.NDArray[np.int16]], None]:
    """A listener that tells the recorder what is played, and when it is heard."""

    def heard(samples: npt.NDArray[np.int16]) -> None:
        recorder.heard(samples, sink.latency_ms / 1000)

    return heard
