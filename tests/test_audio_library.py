"""PortAudio in a program of its own: without the library, without devices, without its sound server, and kept quiet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.virtual_devices import VirtualDevices, require_virtual_devices, run_virtual_devices
from tests.waiting import PATIENCE_S


def program(source: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python code on its own, with its own PortAudio."""
    return subprocess.run(
        [sys.executable, "-c", source],
        env={**environment, "PYTHONPATH": os.pathsep.join([environment.get("PYTHONPATH", ""), *sys.path])},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )


OPEN_ONE = """
from realtime_cli.audio.drivers.choose import open_sink, open_source
from realtime_cli.audio.drivers.devices import list_devices
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
    environment = {**virtual_devices.environment, "ALSA_CONFIG_PATH": str(config), "PULSE_SERVER": "unix:/nowhere"}
    done = program(OPEN_ONE, {name: value for name, value in environment.items() if name != "SSH_CONNECTION"})
    lines = done.stdout.splitlines()
    told = [
        ("there is no microphone, nor any other sound device", "--mic"),
        ("there is no loudspeaker, nor any other sound device", "--speaker"),
        ("there are no sound devices", "--mic/--speaker"),
    ]
    for line, (problem, flag) in zip(lines, told, strict=True):
        assert line.startswith(f"5 {problem}: ")
        assert line.endswith(f", or use {flag} FILE.wav, - or none")
    assert not done.stderr


WATCH = """
import sys, threading
import numpy as np
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource

print("to stderr before", file=sys.stderr)
gone = threading.Barrier(3)

def watch(name):
    gone_once = iter((True,))
    def notice(text):
        print(text, flush=True)
        sys.stderr.write(f"told {name}\\n")
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
        rest, errors = watcher.communicate("\n", timeout=2 * PATIENCE_S)
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
from realtime_cli.audio.drivers.stderr_guard import libraries_silenced

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
