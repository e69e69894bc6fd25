"""PortAudio on virtual devices: what is played and recorded, what is refused, and what happens when devices go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from realtime_cli.audio import stream
from realtime_cli.audio.devices import Device, choose_device, list_devices
from realtime_cli.audio.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.audio.resampling import resampled_pull, resampler
from realtime_cli.audio.stream import formats
from realtime_cli.errors import AudioError
from tests.audio_signals import TIMEOUT_S, Background, Ear, Player, likeness, noise, piecewise
from tests.virtual_devices import VirtualDevices, require_virtual_devices, run_virtual_devices

SPEECH = noise(2.0)

SPOILED = 5
"""So many of its 20 pieces may be spoiled by a machine that is too busy for its sound."""


def recorded(devices: VirtualDevices, source: PortAudioSource) -> tuple[Ear, Background]:
    """Play speech into the microphone while ``source`` records."""
    source.open()
    ear = Ear()
    run = Background(source.run, ear, lambda: None)
    ear.wait_for(5)
    devices.play_into_mic(SPEECH.tobytes())
    ear.wait_for(len(ear.blocks) + 15)
    return ear, run


def test_what_the_microphone_hears_is_delivered_to_the_sample(sound: VirtualDevices) -> None:
    source = PortAudioSource("mic")
    ear, run = recorded(sound, source)
    run.stop()
    source.close()
    assert piecewise(SPEECH, ear.samples)[SPOILED:] == pytest.approx([1.0] * (20 - SPOILED), abs=1e-9)


def played(devices: VirtualDevices, sink: PortAudioSink, raw: Path, output: str) -> np.ndarray:
    player = Player(SPEECH)
    with devices.recording(raw, output):
        sink.open()
        run = Background(sink.run, player)
        assert player.finished.wait(TIMEOUT_S)
        run.stopping.set()
        sink.close()
        run.join()
    return np.fromfile(raw, "<i2")


def test_what_is_pulled_is_played_to_the_sample_and_to_the_end(sound: VirtualDevices, tmp_path: Path) -> None:
    heard = played(sound, PortAudioSink("speaker"), tmp_path / "heard.raw", "spk")
    assert piecewise(SPEECH, heard)[SPOILED:] == pytest.approx([1.0] * (20 - SPOILED), abs=1e-9)
    assert likeness(SPEECH[-1200:], heard) == pytest.approx(1.0, abs=1e-9)


def test_a_loudspeaker_of_another_rate_and_channel_count_plays_the_same(sound: VirtualDevices, tmp_path: Path) -> None:
    heard = played(sound, PortAudioSink("hall"), tmp_path / "heard.raw", "hall")
    assert piecewise(SPEECH, heard)[SPOILED] > 0.99


def test_a_device_s_own_rate_is_resampled_both_ways(
    sound: VirtualDevices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on macOS and Windows, where a device is opened at its own rate: PortAudio gives 44.1 kHz for these.
    monkeypatch.setattr(stream, "_CONVERTING_HOST_APIS", frozenset())
    sink = PortAudioSink("hall")
    assert piecewise(SPEECH, played(sound, sink, tmp_path / "heard.raw", "hall"))[SPOILED] > 0.99
    assert sink.opened
    assert (sink.opened.rate_hz, sink.opened.channels) == (44_100, 2)
    assert sink.latency_ms > sink.opened.latency_ms
    source = PortAudioSource("mic")
    ear, run = recorded(sound, source)
    run.stop()
    source.close()
    assert source.opened
    assert source.opened.rate_hz == 44_100
    assert piecewise(SPEECH, ear.samples)[SPOILED] > 0.99


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
        assert gone.wait(TIMEOUT_S)
    finally:
        sound.pactl("suspend-sink", "spk", "0")
    assert player.finished.wait(TIMEOUT_S)
    assert back.wait(TIMEOUT_S)
    run.stop()
    sink.close()
    assert notices == ['the loudspeaker "speaker" is gone; looking for it', 'now using the loudspeaker "speaker"']


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


def program(source: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python code on its own, with its own PortAudio."""
    return subprocess.run(
        [sys.executable, "-c", source],
        env={**environment, "PYTHONPATH": os.pathsep.join([environment.get("PYTHONPATH", ""), *sys.path])},
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_S,
        check=False,
    )


OPEN_ONE = """
from realtime_cli.audio.choose import open_sink, open_source
from realtime_cli.audio.devices import list_devices
from realtime_cli.errors import AudioError

for attempt in (lambda: open_source(None).open(), lambda: open_sink("speaker").open(), list_devices):
    try:
        attempt()
    except AudioError as error:
        print(error.exit_code, error)
"""


def test_without_portaudio_the_install_command_is_told(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the wheels for macOS and Windows bring PortAudio with them")
    (tmp_path / "sitecustomize.py").write_text("import ctypes.util\nctypes.util.find_library = lambda name: None\n")
    done = program(OPEN_ONE, {**os.environ, "PYTHONPATH": str(tmp_path)})
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("5 the PortAudio library is not installed: ")
        assert "install" in line


def test_without_any_device_both_ways_out_are_told(virtual_devices: VirtualDevices, tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    # A device whose sound server is gone: PortAudio aborts when the configuration names no device at all.
    config.write_text('pcm.gone { type pulse server "unix:/nowhere" }\n')
    done = program(OPEN_ONE, {**virtual_devices.environment, "ALSA_CONFIG_PATH": str(config)})
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert set(lines) == {
        "5 there are no sound devices: plug one in or start the sound server, or use --mic/--speaker FILE.wav"
    }
    assert not done.stderr


WATCH = """
import sys, threading
import numpy as np
from realtime_cli.audio.portaudio import PortAudioSink, PortAudioSource

print("to stderr before", file=sys.stderr)
gone = threading.Barrier(3)

def watch(name):
    gone_once = iter((True,))
    def notice(text):
        print(text, flush=True)
        print("told", name, file=sys.stderr, flush=True)
        if next(gone_once, False):
            gone.wait()
    return notice

mic, speaker = PortAudioSource(None, watch("mic")), PortAudioSink(None, watch("speaker"))
speaker.open()
mic.open()
heard, played = threading.Semaphore(0), threading.Semaphore(0)
stopping = threading.Event()

def pull(frames):
    played.release()
    return np.zeros(frames, np.int16)

threads = [
    threading.Thread(target=mic.run, args=(lambda block: heard.release(), lambda: None, stopping)),
    threading.Thread(target=speaker.run, args=(pull, stopping)),
]
for thread in threads:
    thread.start()
for _ in range(20):
    heard.acquire(), played.acquire()
print("working", flush=True)
sys.stdin.readline()
gone.wait()
print("both gone", flush=True)
sys.stdin.readline()
while heard.acquire(blocking=False) or played.acquire(blocking=False):
    pass
for _ in range(20):
    heard.acquire(), played.acquire()
print("working again", flush=True)
while not (mic.reopened and speaker.reopened):
    stopping.wait(0.01)
stopping.set()
speaker.close()
mic.close()
for thread in threads:
    thread.join()
print("to stderr after", file=sys.stderr)
"""


def test_a_sound_server_that_dies_and_returns_costs_neither_the_session_nor_the_screen(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    require_virtual_devices()
    folder = tmp_path_factory.mktemp("dies")
    with run_virtual_devices(folder) as devices:
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCH],
            env={**devices.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdin
        assert watcher.stdout
        assert watcher.stdout.readline() == "working\n"
        watcher.stdin.write("\n")
        watcher.stdin.flush()
    before = [watcher.stdout.readline() for _ in range(3)]
    with run_virtual_devices(folder):
        rest, errors = watcher.communicate("\n", timeout=2 * TIMEOUT_S)
    assert sorted(before) == [
        "both gone\n",
        'the loudspeaker "default" is gone; looking for it\n',
        'the microphone "default" is gone; looking for it\n',
    ]
    assert set(rest.splitlines()) == {
        'now using the loudspeaker "default"',
        'now using the microphone "default"',
        "working again",
    }
    assert watcher.returncode == 0
    assert [line for line in errors.splitlines() if not line.startswith("told")] == [
        "to stderr before",
        "to stderr after",
    ]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_messages_of_c_libraries_are_silenced_and_python_s_own_arrive(unbuffered: str) -> None:
    done = program(QUIET, {**os.environ, "PYTHONUNBUFFERED": unbuffered})
    assert done.stderr.splitlines() == [
        "python: before",
        "C: before",
        "python: meanwhile",
        "console: meanwhile",
        "C: after",
        "python: after",
    ]
    assert done.returncode == 0


QUIET = """
import os, sys
from realtime_cli.audio.quiet import libraries_silenced

taken_before = sys.stderr

def both(when):
    print("python:", when, file=sys.stderr)
    os.write(2, f"C: {when}\\n".encode())

both("before")
with libraries_silenced():
    with libraries_silenced():
        pass
    both("meanwhile")
    taken_before.write("console: meanwhile\\n")
os.write(2, b"C: after\\n")
print("python: after", file=sys.stderr)
"""
