"""Why a system shows no sound devices, and what helps: told by what lies around, from a list of the usual cases."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from realtime_cli.audio.drivers.library import for_this_distribution

_PLUGIN = "libasound_module_pcm_pulse.so"
"""What lets ALSA, and so PortAudio, reach PulseAudio and PipeWire (https://github.com/alsa-project/alsa-plugins)."""

_PLUGIN_FOLDERS = ("usr/lib/alsa-lib", "usr/lib64/alsa-lib", "usr/lib/*/alsa-lib", "usr/local/lib/alsa-lib")

_PLUGIN_PACKAGES = {
    "debian": "sudo apt-get install libasound2-plugins",
    "fedora": "sudo dnf install alsa-plugins-pulseaudio",
    "arch": "sudo pacman -S alsa-plugins",
    "suse": "sudo zypper install alsa-plugins-pulse",
    "alpine": "sudo apk add alsa-plugins-pulse",
}

_WSLG_SERVER = "/mnt/wslg/PulseServer"
"""Where WSLg's PulseAudio listens (https://github.com/microsoft/wslg)."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the judgement is made of; ``files`` are those among the places asked for that exist."""

    platform: str
    environ: Mapping[str, str]
    files: frozenset[str]
    kernel: str = ""
    """What /proc/version says."""
    may_use_cards: bool = True
    """Whether this user may open the devices in /dev/snd, if there are any."""


def way_out(around: Surroundings) -> str:
    """What to do where there are no devices; one line, without full stop. Pure."""
    if around.platform != "linux":
        return "plug one in, and let this program use it in the system's privacy settings"
    server = _sound_server(around)
    if server and not any(file.endswith(_PLUGIN) for file in around.files):
        return (
            f"a sound server is running, but ALSA's plugin for it is missing: {for_this_distribution(_PLUGIN_PACKAGES)}"
        )
    if "microsoft" in around.kernel.lower():
        if _WSLG_SERVER not in around.files:
            return "WSL has sound only with WSLg: run wsl --update in Windows, or run this program in Windows itself"
        return f"WSL's sound server is not used: export PULSE_SERVER=unix:{_WSLG_SERVER}"
    if {"/.dockerenv", "/run/.containerenv"} & around.files:
        return "a container has none by itself: run it with --device /dev/snd, or hand it a sound server's socket"
    if not around.may_use_cards:
        return "this user may not use /dev/snd: sudo usermod -aG audio $USER, then log in again"
    if around.environ.get("SSH_CONNECTION") and not server:
        return 'over ssh there are none: README, "A microphone over ssh", says how to use your own'
    return "plug one in or start the sound server"


def here() -> Surroundings:
    """This system. Reads a few files; does not block."""
    places = [*_sockets(os.environ), "/.dockerenv", "/run/.containerenv", _WSLG_SERVER]
    plugins = [str(found) for folder in _PLUGIN_FOLDERS for found in Path("/").glob(f"{folder}/{_PLUGIN}")]
    cards = list(Path("/dev/snd").glob("pcm*"))
    return Surroundings(
        platform=sys.platform,
        environ=dict(os.environ),
        files=frozenset([*(place for place in places if Path(place).exists()), *plugins]),
        kernel=_text("/proc/version"),
        may_use_cards=not cards or any(os.access(card, os.R_OK | os.W_OK) for card in cards),
    )


def _sound_server(around: Surroundings) -> bool:
    wanted = around.environ.get("PULSE_SERVER", "")
    return (bool(wanted) and not wanted.startswith(("unix:", "/"))) or bool(_sockets(around.environ) & around.files)


def _sockets(environ: Mapping[str, str]) -> frozenset[str]:
    """Where PulseAudio or PipeWire would listen."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    own = {f"{runtime}/pulse/native", f"{runtime}/pipewire-0"} if runtime else set()
    named = environ.get("PULSE_SERVER", "").removeprefix("unix:")
    return frozenset(own | ({named} if named.startswith("/") else set()))


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
