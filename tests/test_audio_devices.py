"""PortAudio on virtual devices: what is played and recorded, at which rate, and what happens when a device goes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from realtime_cli.audio.core.resampling import resampled_pull, resampler
from realtime_cli.audio.drivers import device_stream as stream
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.errors import AudioError
from tests.audio_signals import Background, Ear, Player, Samples, likeness, noise, piecewise, spared
from tests.virtual_devices import VirtualDevices
from tests.waiting import PATIENCE_S

SPEECH = noise(2.0)

SPOILED = 10
"""So many of its 20 pieces may be spoiled by a machine that is too busy for its sound."""

EXACT = 1 - 1e-9
ALIKE = 0.99
"""Resampled there and back."""


def recorded(devices: VirtualDevices, source: PortAudioSource) -> tuple[Ear, Background]:
    """Play speech into the microphone while ``source`` records."""
    source.open()
    ear = Ear()
    run = Background(source.run, ear, lambda: None)
    ear.wait_for(5)
    devices.play_into_mic(SPEECH.tobytes())
    ear.wait_for(len(ear.blocks) + 15)
    return ear, run


def heard_by(devices: VirtualDevices, sources: list[PortAudioSource]) -> Samples:
    """What a new microphone hears, which is added to ``sources``."""
    sources.append(PortAudioSource("mic"))
    ear, run = recorded(devices, sources[-1])
    run.stop()
    sources[-1].close()
    return ear.samples


def test_what_the_microphone_hears_is_delivered_to_the_sample(sound: VirtualDevices) -> None:
    heard = spared(lambda: heard_by(sound, []), SPEECH, SPOILED, EXACT)
    assert piecewise(SPEECH, heard)[SPOILED:] == pytest.approx([1.0] * (20 - SPOILED), abs=1e-9)


def played(devices: VirtualDevices, sink: PortAudioSink, raw: Path, output: str) -> np.ndarray:
    player = Player(SPEECH)
    with devices.recording(raw, output):
        sink.open()
        run = Background(sink.run, player)
        assert player.finished.wait(PATIENCE_S)
        run.stopping.set()
        sink.close()
        run.join()
    return np.fromfile(raw, "<i2")


def test_what_is_pulled_is_played_to_the_sample_and_to_the_end(sound: VirtualDevices, tmp_path: Path) -> None:
    def play() -> Samples:
        return played(sound, PortAudioSink("speaker"), tmp_path / "heard.raw", "spk")

    heard = spared(play, SPEECH, SPOILED, EXACT)
    assert piecewise(SPEECH, heard)[SPOILED:] == pytest.approx([1.0] * (20 - SPOILED), abs=1e-9)
    end = SPEECH[-1200:]
    assert likeness(end, spared(play, end, 0, EXACT)) == pytest.approx(1.0, abs=1e-9)


def test_a_loudspeaker_of_another_rate_and_channel_count_plays_the_same(sound: VirtualDevices, tmp_path: Path) -> None:
    def play() -> Samples:
        return played(sound, PortAudioSink("hall"), tmp_path / "heard.raw", "hall")

    assert piecewise(SPEECH, spared(play, SPEECH, SPOILED, ALIKE))[SPOILED] > ALIKE


def test_a_device_s_own_rate_is_resampled_both_ways(
    sound: VirtualDevices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on macOS and Windows, where a device is opened at its own rate: PortAudio gives 44.1 kHz for these.
    monkeypatch.setattr(stream, "_CONVERTING_HOST_APIS", frozenset())
    sinks: list[PortAudioSink] = []
    sources: list[PortAudioSource] = []

    def play() -> Samples:
        sinks.append(PortAudioSink("hall"))
        return played(sound, sinks[-1], tmp_path / "heard.raw", "hall")

    assert piecewise(SPEECH, spared(play, SPEECH, SPOILED, ALIKE))[SPOILED] > ALIKE
    sink = sinks[-1]
    assert sink.opened
    assert (sink.opened.rate_hz, sink.opened.channels) == (44_100, 2)
    assert sink.latency_ms > sink.opened.latency_ms
    heard = spared(lambda: heard_by(sound, sources), SPEECH, SPOILED, ALIKE)
    assert piecewise(SPEECH, heard)[SPOILED] > ALIKE
    source = sources[-1]
    assert source.opened
    assert source.opened.rate_hz == 44_100


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_resampling_there_and_back_changes_little_and_loses_nothing(rate_hz: int) -> None:
    tone = (10_000 * np.sin(2 * np.pi * 997 * np.arange(48_000) / 24_000)).astype(np.int16)
    pull = resampled_pull(Player(tone), 24_000, rate_hz)
    back = resampler(rate_hz, 24_000)
    blocks = [back(pull(rate_hz // 100)) for _ in range(240)]
    heard = np.concatenate(blocks)
    assert 240 * 240 - 960 <= len(heard) <= 240 * 240
    assert likeness(tone[480:-480], heard) > 0.9999


def test_resampled_silence_is_silent() -> None:
    resample = resampler(48_000, 24_000)
    assert not any(resample(np.zeros(480, np.int16)).any() for _ in range(50))


def test_a_device_that_refuses_is_told_in_one_line(sound: VirtualDevices) -> None:
    sound.pactl("unload-module", module := module_of(sound, "sink_name=hall"))
    try:
        with pytest.raises(AudioError, match='the loudspeaker "hall" cannot be used: ') as refused:
            PortAudioSink("hall").open()
        assert "\n" not in str(refused.value)
    finally:
        assert module
        sound.pactl("load-module", "module-null-sink", "sink_name=hall", "rate=44100", "channels=2", "norewinds=1")


def module_of(devices: VirtualDevices, argument: str) -> str:
    lines = devices.pactl("list", "short", "modules").splitlines()
    return next(line.split("\t")[0] for line in lines if argument in line)


def test_a_suspended_device_is_noticed_and_used_again_when_it_wakes(sound: VirtualDevices) -> None:
    notices: list[str] = []
    gone, back = threading.Event(), threading.Event()

    def notice(text: str) -> None:
        notices.append(text)
        (gone if len(notices) == 1 else back).set()

    sink = PortAudioSink("speaker", notice)
    player = Player(SPEECH)
    sink.open()
    run = Background(sink.run, player)
    try:
        sound.pactl("suspend-sink", "spk", "1")
        assert gone.wait(PATIENCE_S)
    finally:
        sound.pactl("suspend-sink", "spk", "0")
    assert player.finished.wait(PATIENCE_S)
    assert back.wait(PATIENCE_S)
    run.stop()
    sink.close()
    stands_still = 'the loudspeaker "speaker" stands still (suspended?); looking for it'
    assert notices == [stands_still, 'now using the loudspeaker "speaker"']


def test_closing_a_suspended_device_does_not_hang(sound: VirtualDevices) -> None:
    sink = PortAudioSink("speaker")
    sink.open()
    run = Background(sink.run, Player(SPEECH))
    sound.pactl("suspend-sink", "spk", "1")
    try:
        sink.close()
        run.join()
    finally:
        sound.pactl("suspend-sink", "spk", "0")
