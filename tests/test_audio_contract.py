"""What every microphone and every loudspeaker does, whatever is behind it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_FRAMES, RATE_HZ
from realtime_cli.audio.drivers.pacing import NullSink, NullSource
from realtime_cli.audio.drivers.pipe import PipeSink, PipeSource
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.audio.drivers.wav import WavSink, WavSource
from realtime_cli.ports import AudioSink, AudioSource
from tests.audio_signals import Background, Ear, Player, Samples, likeness, noise, piecewise
from tests.virtual_devices import VirtualDevices
from tests.waiting import PATIENCE_S

SPEECH = noise(0.31)
"""Not a whole number of blocks."""


@pytest.fixture(params=["device", "file", "pipe", "nothing"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AudioSource]:
    with ExitStack() as stack:
        yield _source(request, tmp_path, stack)


def _source(request: pytest.FixtureRequest, tmp_path: Path, stack: ExitStack) -> AudioSource:
    if request.param == "device":
        request.getfixturevalue("sound")
        return PortAudioSource()
    if request.param == "file":
        soundfile.write(tmp_path / "speech.wav", SPEECH, RATE_HZ)
        return WavSource(tmp_path / "speech.wav")
    if request.param == "pipe":
        reader, writer = os.pipe()
        os.write(writer, SPEECH.tobytes())
        os.close(writer)
        return PipeSource(stack.enter_context(os.fdopen(reader, "rb")))
    return NullSource()


def running(source: AudioSource, at_end: Callable[[], None] = lambda: None) -> tuple[Ear, Background]:
    ear = Ear()
    source.open()
    return ear, Background(source.run, ear, at_end)


def test_a_microphone_delivers_whole_blocks_until_it_is_stopped(source: AudioSource) -> None:
    ear, run = running(source)
    blocks = [] if isinstance(source, NullSource) else ear.wait_for(25)
    run.stop()
    source.close()
    assert {len(block) for block in blocks} <= {BLOCK_BYTES}


@pytest.mark.parametrize("source", ["file", "pipe"], indirect=True)
def test_a_microphone_with_an_end_tells_it_once_and_goes_on_with_silence(source: AudioSource) -> None:
    blocks_at_end: list[int] = []
    ear = Ear()
    source.open()
    run = Background(source.run, ear, lambda: blocks_at_end.append(len(ear.blocks)))
    spoken = -(-len(SPEECH) // BLOCK_FRAMES)
    blocks = ear.wait_for(spoken + 5)
    run.stop()
    source.close()
    assert blocks_at_end == [spoken]
    heard = np.frombuffer(b"".join(blocks), "<i2")
    np.testing.assert_array_equal(heard[: len(SPEECH)], SPEECH)
    assert not heard[len(SPEECH) :].any()


def test_a_microphone_closed_from_elsewhere_stops_running(source: AudioSource) -> None:
    _, run = running(source)
    source.close()
    run.join()


def test_a_microphone_can_be_closed_twice_or_unopened(source: AudioSource) -> None:
    source.close()
    source.close()


def test_a_microphone_says_nothing_of_its_end_when_it_is_stopped(source: AudioSource) -> None:
    ended: list[None] = []
    source.open()
    stopping = threading.Event()
    stopping.set()
    source.run(Ear(), lambda: ended.append(None), stopping)
    source.close()
    assert not ended


@pytest.mark.parametrize("source", ["device", "file", "pipe"], indirect=True)
def test_what_goes_wrong_with_a_block_ends_the_microphone_and_is_told(source: AudioSource) -> None:
    def refuse(block: bytes) -> None:
        raise LookupError("no room")

    source.open()
    run = Background(source.run, refuse, lambda: None)
    with pytest.raises(LookupError, match="no room"):
        run.join()
    source.close()


@dataclass
class Loudspeaker:
    sink: AudioSink
    player: Player
    heard: Callable[[], Samples] | None


@pytest.fixture(params=["device", "file", "unpaced file", "pipe", "nothing"])
def speaker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loudspeaker]:
    with ExitStack() as stack:
        yield _speaker(request, tmp_path, stack)


def _speaker(request: pytest.FixtureRequest, tmp_path: Path, stack: ExitStack) -> Loudspeaker:
    player = Player(noise(1.01))
    if request.param == "device":
        devices: VirtualDevices = request.getfixturevalue("sound")
        raw = tmp_path / "played.raw"
        stack.enter_context(devices.recording(raw))
        return Loudspeaker(PortAudioSink(), player, lambda: _all_of(stack, raw))
    if request.param == "pipe":
        raw = tmp_path / "played.raw"
        return Loudspeaker(
            PipeSink(stack.enter_context(raw.open("wb"))), player, lambda: np.fromfile(raw, "<i2").astype(np.int16)
        )
    if request.param == "nothing":
        return Loudspeaker(NullSink(), player, None)
    path = tmp_path / "played.wav"
    sink = WavSink(path, player.pending if request.param == "unpaced file" else None)
    return Loudspeaker(sink, player, lambda: soundfile.read(path, dtype="int16")[0])


def _all_of(recording: ExitStack, raw: Path) -> Samples:
    recording.close()
    return np.fromfile(raw, "<i2").astype(np.int16)


def play_all(speaker: Loudspeaker) -> None:
    speaker.sink.open()
    run = Background(speaker.sink.run, speaker.player)
    assert speaker.player.finished.wait(PATIENCE_S)
    run.stopping.set()
    speaker.sink.close()
    run.join()


def test_a_loudspeaker_plays_all_that_it_pulls(speaker: Loudspeaker) -> None:
    play_all(speaker)
    assert speaker.player.pending() == 0
    if isinstance(speaker.sink, PortAudioSink):
        # A machine that is too busy spoils some of it.
        assert piecewise(speaker.player.samples, speaker.heard())[5] > 0.999
    elif speaker.heard:
        assert likeness(speaker.player.samples, speaker.heard()) > 0.999


def test_a_loudspeaker_asks_for_whole_frames(speaker: Loudspeaker) -> None:
    play_all(speaker)
    assert all(isinstance(frames, int) and frames > 0 for frames in speaker.player.asked)


def test_a_loudspeaker_closed_from_elsewhere_stops_running(speaker: Loudspeaker) -> None:
    speaker.sink.open()
    run = Background(speaker.sink.run, speaker.player)
    speaker.sink.close()
    run.join()


def test_a_loudspeaker_can_be_closed_twice_or_unopened(speaker: Loudspeaker) -> None:
    speaker.sink.close()
    speaker.sink.close()


def test_what_goes_wrong_with_a_pull_ends_the_loudspeaker_and_is_told(speaker: Loudspeaker) -> None:
    def refuse(frames: int) -> Samples:
        raise LookupError("no sound")

    speaker.sink.open()
    run = Background(speaker.sink.run, refuse)
    with pytest.raises(LookupError, match="no sound"):
        run.join()
    speaker.sink.close()
