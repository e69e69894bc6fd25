"""Which engines a server is to have, from what the user said: addresses, files and names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from realtime_cli.errors import ConfigError, InputError
from realtime_cli.server.engines.weight_sets import LANGUAGE_MODEL, SMART_TURN, WHISPER_BASE, WeightSet
from realtime_cli.settings.settings import LM_KEY, STT_KEY, TTS_KEY

STT_MODEL, TTS_MODEL = "whisper-1", "tts-1"
"""What is asked for unless a model is named: OpenAI's names, which compatible servers take for their own."""

Recogniser: TypeAlias = Literal["tiny.en", "base"]


class RemoteEngine(msgspec.Struct, frozen=True):
    """An engine behind an address."""

    url: str
    """As the user gave it."""
    model: str = ""
    key: str = ""


class EngineChoice(msgspec.Struct, frozen=True):
    """The engines of one server; the defaults are the bundled ones."""

    lm: RemoteEngine | Path | None = None
    """An endpoint, a GGUF file, or the embedded model."""
    stt: RemoteEngine | Recogniser = "tiny.en"
    tts: RemoteEngine | None = None
    hears_meaning: bool = False
    """``semantic_vad`` will be used."""
    replies: bool = True
    """There is somebody to answer: no mere transcripts."""

    def weights(self) -> tuple[WeightSet, ...]:
        """What has to be fetched for them."""
        return (
            *((LANGUAGE_MODEL,) if self.lm is None and self.replies else ()),
            *((WHISPER_BASE,) if self.stt == "base" else ()),
            *((SMART_TURN,) if self.hears_meaning else ()),
        )


class Wishes(msgspec.Struct, frozen=True):
    """What the user said of the engines, as the settings hold it."""

    lm: str | None = None
    lm_model: str | None = None
    stt: str | None = None
    stt_model: str | None = None
    tts: str | None = None
    tts_model: str | None = None
    language: str | None = None
    """The language that is spoken, where it is known."""
    locale: str = ""
    """The language of the user's system, which is a hint only."""
    hears_meaning: bool = False
    replies: bool = True


def choose_engines(wishes: Wishes, keys: Mapping[str, str]) -> EngineChoice:
    """The engines wished for. Raises InputError and ConfigError for what cannot be meant."""
    if wishes.lm_model and not is_address(wishes.lm or ""):
        raise InputError("--lm-model names a model of a server", "name the server with --lm URL")
    return EngineChoice(
        lm=_language_model(wishes, keys),
        stt=_recogniser(wishes, keys),
        tts=_remote(wishes.tts, wishes.tts_model or TTS_MODEL, keys.get(TTS_KEY, "")) if wishes.tts else None,
        hears_meaning=wishes.hears_meaning,
        replies=wishes.replies,
    )


def is_address(text: str) -> bool:
    """Whether this names a server rather than a file: a scheme, or a port."""
    host, _, port = text.partition("/")[0].rpartition(":")
    return "://" in text or (bool(host) and port.isdigit())


def _language_model(wishes: Wishes, keys: Mapping[str, str]) -> RemoteEngine | Path | None:
    if not wishes.lm:
        return None
    if is_address(wishes.lm):
        return _remote(wishes.lm, wishes.lm_model or "", keys.get(LM_KEY, ""))
    path = Path(wishes.lm).expanduser()
    if not path.is_file():
        raise InputError(f"--lm {wishes.lm}: there is no such file", "name a GGUF file, or a URL")
    return path


def _recogniser(wishes: Wishes, keys: Mapping[str, str]) -> RemoteEngine | Recogniser:
    """tiny.en hears English a little better (3.5 % of words wrong, base 4.5 %), base answers 0.2 s sooner and knows a
    hundred languages: it is taken for all that is not said to be English, as soon as its weights are here."""
    match wishes.stt:
        case "tiny.en" | "base":
            return wishes.stt
        case str() as address:
            if not is_address(address):
                raise InputError(f"--stt {address}: there is no such recogniser", "tiny.en, base, or a URL")
            return _remote(address, wishes.stt_model or STT_MODEL, keys.get(STT_KEY, ""))
        case None if wishes.language:
            return "tiny.en" if _is_english(wishes.language) else "base"
        case _:
            here = WHISPER_BASE.find() is not None
            return "base" if here or not _is_english(wishes.locale or "en") else "tiny.en"


def _is_english(language: str) -> bool:
    return language.casefold()[:2] == "en"


def _remote(url: str, model: str, key: str) -> RemoteEngine:
    if any(ord(char) <= ord(" ") for char in key):
        raise ConfigError(f"the key for {url} holds a blank or a line feed", "copy it again")
    return RemoteEngine(url, model, key)
