"""Keeping the model's own voice out of what the model hears, so that it does not interrupt itself.

WebRTC's canceller (AEC3, by way of ``pywebrtc-audio``) does the work, without its noise suppression. It runs only while
the model is audible, so the user's speech otherwise passes untouched, and what it does is watched: where it is missing,
does badly, or has to find the echo anew, a gate takes its place. Whether what is loud there is an echo or the user is
told by its waveform, because no loudness learned before holds when headphones are pulled out. What else was tried, and
the figures, are printed by ``benchmarks/echo.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.echo_tracking import LOOKED_AT_FRAMES, EchoTracker
from realtime_cli.audio.core.echo_watch import CancellerWatch
from realtime_cli.audio.core.gates import LoudnessGate
from realtime_cli.audio.core.pcm import FRAME_BYTES, RATE_HZ, ms_to_frames
from realtime_cli.audio.core.reference import Reference
from realtime_cli.audio.core.silence import AUDIBLE_PEAK, silence

Samples = npt.NDArray[np.int16]

Process = Callable[[Samples, Samples], Samples]
"""What was captured and what was played to the cleaned: int16, shape ``(frames,)``, 24 kHz, whole steps."""

STEP_BYTES = ms_to_frames(10) * FRAME_BYTES
"""What WebRTC's canceller takes at a time."""

DELAY_FRAMES = 223
"""By how much the canceller delays at 24 kHz (9.3 ms, measured with pywebrtc-audio 0.2.0). What passes beside it is
delayed as much, so that nothing is lost or heard twice where one follows the other."""

HANGOVER_FRAMES = ms_to_frames(600)
"""For so long after its last sound the model may still be heard: a Bluetooth loudspeaker's delay and a room's echo."""

UNSURE_FRAMES = ms_to_frames(1500)
"""How long the canceller may need to find an echo at first, and again when its delay jumped. (Without a gate for this
time, it let through one at every tenth start, and at every third jump of 20 ms.)"""

AUDIBLE_RMS = AUDIBLE_PEAK / 32768 / math.sqrt(2)
"""The effective value of a tone that can just be heard."""

LATE_FRAMES = ms_to_frames(400)
"""A machine so busy that the canceller did not learn in time what was played: its echo is on its way for so long. And
so long it takes to see whether the canceller gets hold of an echo that was not there before."""

MISSING = "echo cancellation is not installed (pip install pywebrtc-audio)"
POOR = "echo cancellation does not work well here"
GATED = "while the model speaks it hears you only when you are clearly louder; headphones or --ptt help"


def webrtc_canceller() -> Process | None:
    """A canceller of WebRTC's, or None where it is not installed. Loads a library of 1 MB; main thread."""
    try:
        from pywebrtc_audio import AudioProcessor
    except ImportError:
        return None
    processor: Any = AudioProcessor(sample_rate=RATE_HZ, num_channels=1, echo_cancellation=True)
    process: Process = processor.process
    return process


class EchoCanceller:
    """See the module. ``played`` belongs to the playback thread, everything else to the capture thread."""

    def __init__(self, process: Process | None, on_notice: Callable[[str], None]) -> None:
        """``process`` is None where there is no canceller; ``on_notice`` takes one line for the user."""
        self._process = process
        self._on_notice = on_notice
        self._reference = Reference()
        self._gate = LoudnessGate()
        self._watch = CancellerWatch()
        self._waiting = b""
        self._ready = b""
        self._heard = bytes(LOOKED_AT_FRAMES * FRAME_BYTES)
        self._tracker = EchoTracker(self._reference.recent)
        self._audible_frames = 0
        self._unsure_frames = UNSURE_FRAMES
        self._jumps = 0
        self._late = 0
        self._share = 0.0
        self._opening = 1.0
        self._floats = np.zeros(0, np.float32)
        self._told = False
        if process is None:
            self._tell(MISSING)

    @property
    def cancels(self) -> bool:
        """Whether the canceller is there and trusted; else the gate stands in for it."""
        return self._process is not None and self._watch.trusts

    @property
    def erle_db(self) -> float | None:
        """By how many dB the echo of the last seconds was lowered; None where there was none to judge by."""
        return self._watch.erle_db

    @property
    def jumps(self) -> int:
        """How often the devices had to be put in step again."""
        return self._reference.jumps

    def played(self, samples: Samples) -> None:
        """Take what the device plays next, exactly: int16, ``(frames,)``, 24 kHz. Playback thread; returns at once."""
        self._reference.write(samples)

    def clean(self, pcm: bytes) -> bytes:
        """The next block captured (PCM16 24 kHz mono, whole frames) without the echo; as long, and 9.3 ms late.

        Capture thread; returns within a millisecond. Blocks that are no whole steps of 10 ms cost 10 ms more.
        """
        if not (len(pcm) % STEP_BYTES or self._waiting or self._ready):
            return self._clean(pcm)
        waiting = self._waiting + pcm
        whole = len(waiting) - len(waiting) % STEP_BYTES
        self._waiting = waiting[whole:]
        ready = self._ready + (self._clean(waiting[:whole]) if whole else b"")
        if len(ready) < len(pcm):
            # Once, when blocks begin not to be whole steps: from then on this much is always ready.
            ready = bytes(STEP_BYTES) + ready
        self._ready = ready[len(pcm) :]
        return ready[: len(pcm)]

    def _clean(self, pcm: bytes) -> bytes:
        """Whole steps at once."""
        played = self._reference.read(len(pcm) // FRAME_BYTES)
        lately = self._heard + pcm
        self._heard = lately[len(pcm) :]
        at = (LOOKED_AT_FRAMES - DELAY_FRAMES) * FRAME_BYTES
        late = lately[at : at + len(pcm)]
        played_rms = 0.0 if played is silence(len(played)) else self._amplitude(played)
        if played_rms >= AUDIBLE_RMS:
            self._audible_frames = HANGOVER_FRAMES
        if not self._audible_frames and not self._share and self._opening == 1.0:
            return late
        heard, beside = np.frombuffer(pcm, "<i2"), np.frombuffer(late, "<i2")
        heard_rms = self._amplitude(heard)
        left, left_rms = beside, heard_rms
        if self._process and not self._rests:
            cleaned = self._process(heard, played)
            cleaned_rms = self._amplitude(cleaned)
            # Else it took away an echo that is no longer there, so that nothing but that is to be heard.
            if cleaned_rms <= self._amplitude(beside):
                left, left_rms = cleaned, cleaned_rms
        is_open = self._judge(played_rms, heard_rms, left_rms, len(heard))
        audible = self._audible_frames > 0
        self._audible_frames = max(0, self._audible_frames - len(heard))
        mixed = self._mixed(
            beside,
            left,
            share=1.0 if audible and self.cancels and not self._gate.alone else 0.0,
            opening=0.0 if audible and not is_open else 1.0,
        )
        return mixed.astype("<i2", copy=False).tobytes()

    @property
    def _rests(self) -> bool:
        """Whether the canceller has nothing to do: no echo comes back, as with headphones. (One that did badly never
        rests, as there may be an echo that the tracker cannot recognise.)"""
        return not (self._tracker.expects_echo or self._unsure_frames or self._told)

    def _amplitude(self, samples: Samples) -> float:
        """The root mean square, 0..1."""
        frames = len(samples)
        if len(self._floats) != frames:
            self._floats = np.zeros(frames, np.float32)
        # By numpy's plainest calls: fifty times a second each begins with cold caches, which cost more than the sum.
        self._floats[:] = samples
        return math.sqrt(float(self._floats.dot(self._floats)) / frames) / 32768

    def _judge(self, played_rms: float, heard_rms: float, left_rms: float, frames: int) -> bool:
        """Whether the block may pass at all."""
        is_users = self._gate.opens(_decibels(played_rms), _decibels(heard_rms))
        if self._tracker.is_echo(np.frombuffer(self._heard, "<i2"), heard_rms, left_rms, opened=is_users) and is_users:
            is_users = False
            self._gate.was_echo(sure=self._tracker.is_sure)
        self._doubt()
        trusted = self._watch.trusts
        self._watch.see(played_rms, heard_rms, left_rms)
        if trusted and self._watch.echo_db is not None:
            self._gate.expect(self._watch.echo_db)
        if not self.cancels:
            self._tell(POOR)
            return is_users
        self._unsure_frames = max(0, self._unsure_frames - frames)
        return is_users or not (self._unsure_frames or self._tracker.in_doubt)

    def _doubt(self) -> None:
        """See whether the canceller has something to learn first, and what was seen before says nothing any more."""
        jumped, late = self._jumps != self._reference.jumps, self._late != self._reference.late
        self._jumps, self._late = self._reference.jumps, self._reference.late
        begins = self._tracker.is_new and self._rests
        if late or self._tracker.is_new:
            self._unsure_frames = max(self._unsure_frames, LATE_FRAMES)
        if jumped or begins or self._tracker.is_sure:
            self._unsure_frames = UNSURE_FRAMES
        if jumped or self._tracker.has_moved:
            self._watch.forget()

    def _mixed(self, beside: Samples, left: Samples, *, share: float, opening: float) -> Samples:
        """``share`` of the cleaned and the rest of what passes beside it, let through by ``opening``; both gliding."""
        if share == self._share and opening == self._opening:
            if not opening:
                return np.zeros_like(left)
            return left if share else beside
        way = np.linspace(0, 1, len(left), dtype=np.float32)
        shares = self._share + (share - self._share) * way
        openings = self._opening + (opening - self._opening) * way
        self._share, self._opening = share, opening
        return ((beside + (left.astype(np.float32) - beside) * shares) * openings).astype(np.int16)

    def _tell(self, problem: str) -> None:
        if not self._told:
            self._told = True
            self._on_notice(f"{problem}: {GATED}")


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(max(amplitude, 1e-6))
