"""What is told to whom has no sound devices."""

from __future__ import annotations

import pytest

from realtime_cli.audio.drivers.no_devices import Surroundings, here, way_out

PLUGIN = "/usr/lib/x86_64-linux-gnu/alsa-lib/libasound_module_pcm_pulse.so"
SERVER = "/run/user/1000/pulse/native"
USER = {"XDG_RUNTIME_DIR": "/run/user/1000"}
WSL = "Linux version 6.6.87.2-microsoft-standard-WSL2"


def around(*files: str, platform: str = "linux", kernel: str = "", may: bool = True, **environ: str) -> Surroundings:
    return Surroundings(
        platform=platform, environ={**USER, **environ}, files=frozenset(files), kernel=kernel, may_use_cards=may
    )


@pytest.mark.parametrize(
    ("surroundings", "told"),
    [
        (around(SERVER), "ALSA's plugin for it is missing"),
        (around("/run/user/1000/pipewire-0"), "ALSA's plugin for it is missing"),
        (around(PULSE_SERVER="tcp:127.0.0.1:4713"), "ALSA's plugin for it is missing"),
        (around("/mnt/wslg/PulseServer", PULSE_SERVER="unix:/mnt/wslg/PulseServer", kernel=WSL), "plugin"),
        (around(PLUGIN, kernel=WSL), "wsl --update"),
        (around(PLUGIN, "/mnt/wslg/PulseServer", kernel=WSL), "export PULSE_SERVER=unix:/mnt/wslg/PulseServer"),
        (around("/.dockerenv"), "--device /dev/snd"),
        (around("/run/.containerenv", SSH_CONNECTION="1 2 3 4"), "--device /dev/snd"),
        (around(may=False), "usermod -aG audio"),
        (around(SSH_CONNECTION="1 2 3 4"), "A microphone over ssh"),
        (around(SERVER, PLUGIN), "start the sound server"),
        (around(platform="darwin"), "privacy settings"),
    ],
)
def test_the_way_out_fits_where_one_is(surroundings: Surroundings, told: str) -> None:
    assert told in way_out(surroundings)


def test_this_system_can_be_asked() -> None:
    assert way_out(here())
