"""Which microphone and loudspeaker are meant, by number, name or file, and in which format a device is opened."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.audio.drivers.choose import open_reply_sink, open_sink, open_source
from realtime_cli.audio.drivers.device_stream import formats
from realtime_cli.audio.drivers.devices import Device, choose_device, list_devices
from realtime_cli.audio.drivers.pacing import NullSink, NullSource
from realtime_cli.audio.drivers.pipe import PipeSink, PipeSource
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.audio.drivers.wav import WavSink, WavSource
from realtime_cli.errors import AudioError, InputError
from tests.audio_signals import noise
from tests.virtual_devices import VirtualDevices


@pytest.mark.parametrize(
    ("word", "microphone", "loudspeaker"),
    [
        (None, PortAudioSource, PortAudioSink),
        ("USB Headset", PortAudioSource, PortAudioSink),
        ("3", PortAudioSource, PortAudioSink),
        ("talk.wav", WavSource, WavSink),
        ("Talk.WAV", WavSource, WavSink),
        ("-", PipeSource, PipeSink),
        ("none", NullSource, NullSink),
    ],
)
def test_the_user_s_word_decides_what_is_opened(word: str | None, microphone: type, loudspeaker: type) -> None:
    assert type(open_source(word)) is microphone
    assert type(open_sink(word)) is loudspeaker


def test_a_recording_of_another_format_is_a_microphone_but_no_loudspeaker() -> None:
    assert type(open_source("talk.flac")) is WavSource
    with pytest.raises(InputError, match=r"ends in \.wav"):
        open_sink("talk.flac")


def test_a_reply_is_not_spoken_unless_a_loudspeaker_is_named() -> None:
    assert open_reply_sink(None) is None
    assert open_reply_sink("none") is None
    assert type(open_reply_sink("reply.wav", lambda: 0)) is WavSink


def test_a_recording_is_never_overwritten_by_its_own_reply(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", noise(0.5), RATE_HZ)
    (tmp_path / "link.wav").symlink_to(tmp_path / "talk.wav")
    for choose in (open_sink, open_reply_sink):
        with pytest.raises(InputError, match="both microphone and loudspeaker"):
            choose(str(tmp_path / "link.wav"), source=str(tmp_path / "talk.wav"))


def device(
    index: int, name: str, *, host_api: str = "MME", inputs: int = 0, outputs: int = 0, rate: int = 48_000
) -> Device:
    default = index == 0
    return Device(index, name, host_api, inputs, outputs, rate, default and inputs > 0, default and outputs > 0)


def test_where_conversion_is_safe_the_wire_s_rate_is_tried_first() -> None:
    assert next(formats(device(0, "x", host_api="ALSA", inputs=2), "input")) == (24_000, 1)
    assert next(formats(device(0, "x", host_api="Core Audio", inputs=2), "input")) == (48_000, 1)


def test_all_formats_of_a_loudspeaker_are_tried_both_its_sides_first() -> None:
    tried = list(formats(device(0, "x", host_api="ALSA", outputs=8), "output"))
    assert tried == [(24_000, 2), (24_000, 1), (24_000, 8), (48_000, 2), (48_000, 1), (48_000, 8)]
    assert list(formats(device(0, "x", outputs=1, rate=24_000), "output")) == [(24_000, 1)]


WINDOWS = (
    device(0, "Microphone (USB Headset)", inputs=1),
    device(1, "Speakers (USB Headset)", outputs=2),
    device(2, "Microphone (Webcam)", inputs=2),
    device(3, "Microphone (USB Headset)", host_api="Windows WASAPI", inputs=1),
    device(4, "Microphone Array", inputs=4),
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 0),
        ("", 0),
        (2, 2),
        ("2", 2),
        ("webcam", 2),
        ("usb", 0),
        ("MICROPHONE ARRAY", 4),
        ("headset), windows", 3),
    ],
)
def test_a_device_is_found_by_number_or_a_unique_part_of_its_name(wanted: str | int | None, index: int) -> None:
    assert choose_device(WINDOWS, wanted, "input").index == index


@pytest.mark.parametrize(
    ("wanted", "direction", "line"),
    [
        (
            "webcan",
            "input",
            'no microphone is called "webcan": there are: Microphone (USB Headset), Microphone (Webcam)',
        ),
        ("microphone", "input", 'several are called "microphone": say more of the name, or the number: 0 (Microphone'),
        ("1", "input", r"device 1 is no microphone: there are: 0 (Microphone (USB Headset)), 2 (Microphone (Webcam))"),
        (None, "output", "the system has no default loudspeaker: name one of: Speakers (USB Headset)"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(wanted: str, direction: str, line: str) -> None:
    with pytest.raises(AudioError) as refused:
        choose_device(WINDOWS, wanted, "input" if direction == "input" else "output")
    assert str(refused.value).startswith(line)


def test_a_system_without_a_microphone_says_so() -> None:
    with pytest.raises(AudioError, match="there is no microphone: none of the 1 sound devices is one"):
        choose_device((device(0, "Speakers", outputs=2),), None, "input")


def test_all_devices_are_listed_with_the_defaults_marked(sound: VirtualDevices) -> None:
    devices = {device.name: device for device in list_devices()}
    assert set(devices) == {"speaker", "mic", "hall", "default"}
    assert devices["default"].is_default_input
    assert devices["default"].is_default_output
    assert not devices["speaker"].is_default_output
    assert (devices["mic"].max_output_channels, devices["speaker"].max_input_channels) == (0, 0)
    assert {device.host_api for device in devices.values()} == {"ALSA"}


def test_an_unknown_device_is_refused_when_it_is_opened(sound: VirtualDevices) -> None:
    with pytest.raises(AudioError, match='no microphone is called "webcam": there are: mic, default'):
        PortAudioSource("webcam").open()
