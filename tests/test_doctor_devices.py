"""``realtime-cli doctor`` on virtual devices, without any, and with files in their place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from tests import scripts
from tests.audio_signals import ATTEMPTS
from tests.doctor_runs import checks
from tests.running import environment
from tests.scripted_server import ScriptedServer
from tests.virtual_devices import VirtualDevices

Found: TypeAlias = dict[str, dict[str, Any]]
"""The checks by name."""


@contextmanager
def hum(devices: VirtualDevices, level_db: float = -40.0) -> Iterator[None]:
    """A microphone that is not digitally silent."""
    module = devices.pactl("load-module", "module-sine", "sink=mic_in", "frequency=200")
    try:
        devices.pactl("set-sink-input-volume", devices._sink_input_of(module), f"{level_db:.2f}dB")
        yield
    finally:
        devices.pactl("unload-module", module)


def looked_at(
    devices: VirtualDevices, server: ScriptedServer, *arguments: str, right: Callable[[Found], bool] = bool
) -> tuple[Found, int]:
    """The checks of a run on devices that work, tried again while the machine is too busy for its sound."""
    for _ in range(ATTEMPTS):
        found, code = checks(*arguments, "--base-url", server.url, **devices.environment)
        if code == 0 and right(found):
            break
    return found, code


@pytest.mark.parametrize("gain_db", [-12.0, -20.0])
def test_the_echo_of_real_streams_is_measured(virtual_devices: VirtualDevices, gain_db: float) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices), virtual_devices.echo(gain_db, 80):

        def right(found: Found) -> bool:
            level_db, _, rest = found["echo"]["finding"].partition(" dB, back after ")
            return bool(rest) and float(level_db) == pytest.approx(gain_db, abs=1.0)

        found, code = looked_at(virtual_devices, server, right=right)
    assert code == 0
    assert {found[name]["status"] for name in ("portaudio", "devices", "microphone", "loudspeaker", "echo")} == {"ok"}
    level_db, _, rest = found["echo"]["finding"].partition(" dB, back after ")
    assert float(level_db) == pytest.approx(gain_db, abs=1.0)
    # 80 ms of loopback and what the streams themselves take; a busy machine makes the loopback slower.
    assert 75 < float(rest.partition(" ms")[0]) < 400


def test_what_the_settings_do_about_the_echo_is_taken_into_account(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices), virtual_devices.echo(-12, 80):
        spoken = ("--no-aec", "--no-turn")
        found, code = looked_at(virtual_devices, server, *spoken, right=lambda it: it["echo"]["status"] == "warn")
        calm, _ = looked_at(virtual_devices, server, "--half-duplex", "--no-turn")
    assert code == 0
    assert (found["echo"]["status"], calm["echo"]["status"]) == ("warn", "ok")


def test_without_an_echo_path_none_is_found(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices):
        found, code = looked_at(virtual_devices, server)
    assert code == 0
    assert found["echo"]["finding"].startswith("none came back")


def test_no_sound_plays_nothing(virtual_devices: VirtualDevices, tmp_path: Path) -> None:
    raw = tmp_path / "played.raw"
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices), virtual_devices.recording(raw):
        found, code = looked_at(virtual_devices, server, "--no-sound")
    assert code == 0
    assert "echo" not in found
    assert not np.fromfile(raw, "<i2").any()


def test_a_muted_microphone_is_a_warning_as_a_chat_runs_with_it_and_says_how_to_unmute_it(
    virtual_devices: VirtualDevices,
) -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = looked_at(virtual_devices, server)
    assert code == 0
    assert found["microphone"]["status"] == "warn"
    assert "digital silence" in found["microphone"]["finding"]
    assert found["microphone"]["fix"]
    assert found["reply"]["status"] == "ok"  # what does not depend on it is looked at all the same


def test_suspended_devices_are_exit_5_and_nothing_hangs(virtual_devices: VirtualDevices) -> None:
    virtual_devices.pactl("suspend-sink", "spk", "1")
    virtual_devices.pactl("suspend-source", "mic", "1")
    try:
        with ScriptedServer(scripts.text_turns()) as server:
            found, code = checks("--no-turn", "--base-url", server.url, **virtual_devices.environment)
    finally:
        virtual_devices.pactl("suspend-sink", "spk", "0")
        virtual_devices.pactl("suspend-source", "mic", "0")
    assert code == 5
    assert "--mic" in found["microphone"]["fix"]
    assert "--speaker" in found["loudspeaker"]["fix"]
    assert "echo" not in found


def test_a_device_that_is_not_there_is_exit_5_with_the_flag_that_mends_it(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--mic", "trumpet", "--base-url", server.url, **virtual_devices.environment)
    assert code == 5
    assert 'no microphone is called "trumpet"' in found["devices"]["finding"]
    assert "--mic" in found["devices"]["fix"]


def test_a_device_at_another_rate_is_resampled_and_said_so(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices):
        found, code = looked_at(virtual_devices, server, "--speaker", "hall", "--no-sound")
    assert code == 0
    assert found["loudspeaker"]["finding"].startswith('"hall" at ')
    assert 'loudspeaker "hall" (44100 Hz)' in found["devices"]["finding"]


def test_without_any_sound_device_the_ways_out_are_named(virtual_devices: VirtualDevices, tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    # PortAudio aborts when the configuration names no device at all.
    config.write_text('pcm.gone { type pulse server "unix:/nowhere" }\n')
    variables = {**virtual_devices.environment, "ALSA_CONFIG_PATH": str(config)}
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--base-url", server.url, **variables)
    assert code == 5
    assert found["devices"]["status"] == "fail"
    assert "FILE.wav" in found["devices"]["fix"]
    assert "microphone" not in found


@pytest.mark.skipif(sys.platform != "linux", reason="the wheels for macOS and Windows bring PortAudio with them")
def test_without_portaudio_the_install_command_is_the_fix(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import ctypes.util\nctypes.util.find_library = lambda name: None\n")
    with ScriptedServer(scripts.text_turns()) as server:
        path = f"{tmp_path}:{environment()['PYTHONPATH']}"
        found, code = checks("--base-url", server.url, PYTHONPATH=path)
    assert code == 5
    assert found["portaudio"]["status"] == "fail"
    assert "install" in found["portaudio"]["fix"]


def test_files_and_pipes_need_no_sound_card_and_are_left_as_they_are(tmp_path: Path) -> None:
    speaker = tmp_path / "reply.wav"
    speaker.write_bytes(b"precious")
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--mic", "nowhere.wav", "--speaker", str(speaker), "--base-url", server.url)
    assert code == 2
    assert "nowhere.wav" in found["microphone"]["finding"]
    assert "--mic" in found["microphone"]["fix"]
    assert found["loudspeaker"]["status"] == "ok"
    assert "portaudio" not in found
    assert speaker.read_bytes() == b"precious"
