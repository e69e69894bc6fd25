"""Real sound devices made of software: a private PulseAudio server for one test run.

Programs see them through ALSA and PortAudio, exactly as they would see a sound card:

- ``mic``: what :meth:`VirtualDevices.play_into_mic` plays can be recorded here (24 kHz mono);
- ``speaker``: what programs play here can be recorded with :meth:`VirtualDevices.recording` (24 kHz mono);
- ``hall``: a second loudspeaker, 44.1 kHz stereo;
- ``default``: ``mic`` and ``speaker`` together.

The server runs in the foreground as a child process and is ended by its own process id.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import need
from tests.waiting import PATIENCE_S, wait_until

_PROGRAMS = ("pulseaudio", "pactl", "pacat", "parec")
_INSTALL = "apt-get install --no-install-recommends libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"

_SERVER_OPTIONS = ("--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes")

_TAIL_BYTES = 24_000 * 2 * 3 // 10

# norewinds: a null sink otherwise takes back audio that it was given, as a sound card cannot.
# The order matters: of sinks that are equally good the server lets the first take the place of one that is gone,
# which must be the second loudspeaker, not what plays into the microphone.
_SERVER_SCRIPT = """\
load-module module-native-protocol-unix socket={socket} auth-anonymous=1 auth-cookie-enabled=0
load-module module-null-sink sink_name=spk format=s16le rate=24000 channels=1 norewinds=1
load-module module-null-sink sink_name=hall format=s16le rate=44100 channels=2 norewinds=1
load-module module-null-sink sink_name=mic_in format=s16le rate=24000 channels=1 norewinds=1
load-module module-remap-source source_name=mic master=mic_in.monitor
set-default-sink spk
set-default-source mic
"""

# The inner devices are written out where they are used: ALSA would list named ones as devices of their own.
_ALSA_CONFIG = """\
pcm.speaker {{ type asym  playback.pcm {{ {spk} }} }}
pcm.mic {{ type asym  capture.pcm {{ {mic} }} }}
pcm.hall {{ type asym  playback.pcm {{ {hall} }} }}
pcm.!default {{ type asym  playback.pcm {{ {spk} }}  capture.pcm {{ {mic} }} }}
"""


@dataclass(frozen=True, slots=True)
class VirtualDevices:
    """One running sound server. ``environment`` is what a program needs to see its devices, and only its devices."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def pactl(self, *words: str) -> str:
        """Give the server one command (see pactl(1)) and return what it prints. Blocks until done."""
        return subprocess.run(
            ["pactl", *words], env=self.environment, check=True, capture_output=True, text=True, timeout=PATIENCE_S
        ).stdout.strip()

    def play_into_mic(self, pcm16: bytes) -> None:
        """Play 24 kHz mono PCM16 into ``mic``. Blocks until it has been played."""
        subprocess.run(
            [*_pacat("--playback", "mic_in"), "--latency-msec=200"],
            input=pcm16,
            env=self.environment,
            check=True,
            timeout=PATIENCE_S,
        )

    @contextlib.contextmanager
    def recording(self, path: Path, sink: str = "spk") -> Iterator[None]:
        """Record what ``sink`` plays meanwhile into ``path``, as raw PCM16 24 kHz mono."""
        with path.open("wb") as file:
            recorder = subprocess.Popen(
                [*_pacat("--record", f"{sink}.monitor"), "--latency-msec=200"], env=self.environment, stdout=file
            )
            try:
                _wait_for(lambda: path.stat().st_size > 0, recorder, "the recorder")
                yield
                heard = path.stat().st_size
                # What was played last is still on its way here.
                _wait_for(lambda: path.stat().st_size > heard + _TAIL_BYTES, recorder, "the recorder")
            finally:
                recorder.send_signal(signal.SIGINT)
                recorder.wait(PATIENCE_S)

    @contextlib.contextmanager
    def echo(self, gain_db: float, delay_ms: int) -> Iterator[None]:
        """Let the loudspeaker be heard in the microphone meanwhile, ``gain_db`` louder (negative: softer)."""
        module = self.pactl(
            "load-module",
            "module-loopback",
            "source=spk.monitor",
            "sink=mic_in",
            f"latency_msec={delay_ms}",
            "adjust_time=0",
        )
        try:
            stream = self._sink_input_of(module)
            self.pactl("set-sink-input-volume", stream, f"{gain_db:.2f}dB")
            yield
        finally:
            self.pactl("unload-module", module)

    def _sink_input_of(self, module: str) -> str:
        for block in self.pactl("list", "sink-inputs").split("\n\n"):
            if f"Owner Module: {module}\n" in block:
                return block.partition("\n")[0].removeprefix("Sink Input #")
        raise AssertionError(f"module {module} plays nothing")


def _pacat(mode: str, device: str) -> list[str]:
    return ["pacat", mode, f"--device={device}", "--raw", "--format=s16le", "--rate=24000", "--channels=1"]


def _wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str) -> None:
    def is_ready() -> bool:
        if ready():
            return True
        assert process.poll() is None, f"{name} ended with {process.returncode}"
        return False

    wait_until(is_ready, name, every_s=0.01)


@contextlib.contextmanager
def run_virtual_devices(folder: Path) -> Iterator[VirtualDevices]:
    """Run a sound server whose files all live in ``folder`` (a short path: its socket's path may have 107 bytes)."""
    socket = folder / "socket"
    script = folder / "devices.pa"
    alsa = folder / "asound.conf"
    script.write_text(_SERVER_SCRIPT.format(socket=socket))
    pcms = {name: f'type pulse server "unix:{socket}" device "{name}"' for name in ("spk", "mic", "hall")}
    alsa.write_text(_ALSA_CONFIG.format(**pcms))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "ALSA_"))},
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(folder),
        "PULSE_STATE_PATH": str(folder),
        "PULSE_SERVER": f"unix:{socket}",
        "ALSA_CONFIG_PATH": str(alsa),
    }
    log = folder / "pulseaudio.log"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(script), *_SERVER_OPTIONS],
            env=environment,
            stdout=log_file,
            stderr=subprocess.STDOUT,
        )
    try:
        devices = VirtualDevices(process, environment)
        _wait_for(lambda: _answers(devices), process, f"pulseaudio ({log})")
        yield devices
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _answers(devices: VirtualDevices) -> bool:
    try:
        return "hall" in devices.pactl("list", "short", "sinks")
    except subprocess.CalledProcessError:
        return False


def require_virtual_devices() -> None:
    """Skip the test where the system has no PulseAudio; on CI fail instead."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    need(not missing, f"{', '.join(missing)} ({_INSTALL})")


@pytest.fixture(scope="session")
def virtual_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualDevices]:
    """Run one sound server for the whole test run; use its ``environment`` for the programs under test."""
    require_virtual_devices()
    with run_virtual_devices(tmp_path_factory.mktemp("snd")) as devices:
        yield devices


@pytest.fixture(scope="session")
def sound(virtual_devices: VirtualDevices) -> Iterator[VirtualDevices]:
    """Let PortAudio in this very process see the virtual devices, whether it is loaded already or not yet."""
    from realtime_cli.audio.drivers.library import look_for_devices

    with pytest.MonkeyPatch.context() as patch:
        for name, value in virtual_devices.environment.items():
            patch.setenv(name, value)
        look_for_devices()
        yield virtual_devices
