"""A conversation in the computed room in which a false turn has its effect: it stops the reply, and another begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS, RATE_HZ
from realtime_cli.server.engines.silero import SileroVoiceActivity, load_session
from realtime_cli.server.listening.endpointing import Endpointing, SpeechStarted, SpeechStopped
from realtime_cli.server.listening.input_audio import InputAudio
from tests.echo_scene import NOISE_DBFS, Floats, controlled, replies, room, to_pcm

_FFT_FRAMES = 1 << 15
"""Holds a block, the longest delay and the tail of the room."""

_BLOCKS_A_S = 1000 // BLOCK_MS
_ANSWERED_AFTER_BLOCKS = 2 * _BLOCKS_A_S
_NEVER = 1 << 30


@dataclass(frozen=True, slots=True)
class Path:
    """From ``from_s`` seconds on the loudspeaker is heard so loud and so late; ``gain_db`` None: with headphones."""

    from_s: float
    gain_db: float | None
    delay_ms: float = 0.0


def self_interruptions_s(
    control: Any,
    paths: tuple[Path, ...],
    seconds: float,
    *,
    reply_s: float = 12.0,
    spoil: Callable[[Floats, int], Floats] = lambda echo, _at: echo,
) -> list[float]:
    """When, in seconds, the embedded server would have heard a turn although nobody ever speaks.

    ``spoil`` makes of a block of echo, and the frame at which it begins, what a poor loudspeaker would.
    """
    voice = to_pcm(replies(60))
    listener = InputAudio(lambda: SileroVoiceActivity(load_session()))
    listener.listen("audio/pcm", Endpointing())
    clean = controlled(control)
    noise = np.random.default_rng(1)
    responses = {path: _response(path) for path in paths}
    ringing = np.zeros(_FFT_FRAMES, np.float32)
    at, waiting, to_play = 0, _BLOCKS_A_S // 2, 0
    found = []
    for block in range(int(seconds * _BLOCKS_A_S)):
        played = np.zeros(BLOCK_FRAMES, np.int16)
        if to_play:
            to_play -= 1
            played = voice[at : at + BLOCK_FRAMES]
            at = (at + BLOCK_FRAMES) % (len(voice) - BLOCK_FRAMES)
            waiting = _ANSWERED_AFTER_BLOCKS
        elif waiting:
            waiting -= 1
            to_play = 0 if waiting else int(reply_s * _BLOCKS_A_S)
        path = [path for path in paths if path.from_s <= block / _BLOCKS_A_S][-1]
        if path.gain_db is not None:
            spectrum = np.fft.rfft(played.astype(np.float32), _FFT_FRAMES) * responses[path]
            ringing += np.fft.irfft(spectrum, _FFT_FRAMES).astype(np.float32)
        echo = spoil(ringing[:BLOCK_FRAMES], block * BLOCK_FRAMES)
        heard = echo + noise.normal(size=BLOCK_FRAMES) * 10 ** (NOISE_DBFS / 20) * 32767
        ringing = np.concatenate((ringing[BLOCK_FRAMES:], np.zeros(BLOCK_FRAMES, np.float32)))
        sent = clean(played, heard.round().clip(-32768, 32767).astype(np.int16))
        for decision in listener.hear(sent.tobytes()):
            if isinstance(decision, SpeechStarted):
                found.append(block / _BLOCKS_A_S)
                to_play, waiting = 0, _NEVER
            elif isinstance(decision, SpeechStopped):
                waiting = _BLOCKS_A_S
    return found


def shifted_in_pitch(echo: Floats, at: int) -> Floats:
    """An echo that no canceller and no comparison of waveforms can know, as loud as before."""
    seconds = (at + np.arange(len(echo))) / RATE_HZ
    return (echo * np.cos(2 * np.pi * 150 * seconds) * np.sqrt(2)).astype(np.float32)


def _response(path: Path) -> Any:
    return np.fft.rfft(room(path.gain_db, path.delay_ms) if path.gain_db is not None else np.zeros(1), _FFT_FRAMES)
