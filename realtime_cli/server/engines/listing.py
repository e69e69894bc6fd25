"""Which engines there are: what is here, what each needs, and how to get it."""

from __future__ import annotations

import msgspec

from realtime_cli.server.engines.espeak import PROGRAM, spoken_languages
from realtime_cli.server.engines.neighbours import find_neighbours
from realtime_cli.server.engines.optional_packages import INSTALL, missing_parts
from realtime_cli.server.engines.weight_sets import LANGUAGE_MODEL, SMART_TURN, WHISPER_BASE, WeightSet


class EngineInfo(msgspec.Struct, frozen=True):
    """One engine as ``serve --list-engines`` shows it."""

    work: str
    """What it does: language model, recognition, voice, end of turn."""
    name: str
    here: bool
    needs: str
    """What it needs, in a few words."""
    get: str
    """The command, or the flag, that makes it work."""


def list_engines() -> list[EngineInfo]:
    """All of them. Looks at packages and files, and for 0.1 s at other programs' ports; blocks for that long."""
    missing = missing_parts()
    bundled = not missing
    languages = len(spoken_languages())
    return [
        _of_weights("language model", "SmolLM2-135M", LANGUAGE_MODEL, bundled, ""),
        *(
            EngineInfo("language model", f"{one.title} ({', '.join(one.models[:3])})", True, "runs here", one.flags)
            for one in find_neighbours()
        ),
        EngineInfo("language model", "any chat completions endpoint", True, "its address", "--lm URL --lm-model NAME"),
        EngineInfo("language model", "any GGUF file", bundled, "the file", "--lm FILE.gguf" if bundled else INSTALL),
        EngineInfo("recognition", "Whisper tiny.en", bundled, "English only", "--stt tiny.en" if bundled else INSTALL),
        _of_weights("recognition", "Whisper base", WHISPER_BASE, bundled, "--stt base"),
        EngineInfo("recognition", "any transcriptions endpoint", True, "its address", "--stt URL"),
        EngineInfo("voice", "hibari", bundled, "English only", "" if bundled else INSTALL),
        EngineInfo(
            "voice",
            PROGRAM,
            bool(languages),
            f"other languages: {languages} here" if languages else "other languages",
            "" if languages else f"apt install {PROGRAM}, brew install {PROGRAM}",
        ),
        EngineInfo("voice", "any speech endpoint", True, "its address", "--tts URL"),
        _of_weights("end of turn", "Smart Turn v3.2", SMART_TURN, bundled, "--vad semantic"),
    ]


def _of_weights(work: str, name: str, weights: WeightSet, bundled: bool, flag: str) -> EngineInfo:
    fetched = weights.find() is not None
    size = f"{weights.fetched_bytes / 1e6:.0f} MB, {weights.licence}"
    get = flag if fetched else f"realtime-cli fetch {weights.name}"
    return EngineInfo(work, name, bundled and fetched, size, get if bundled else INSTALL)
