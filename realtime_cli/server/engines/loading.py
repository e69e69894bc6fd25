"""Loads the engines: side by side, each at most once, and those that nobody asks for never.

Measured on two cores, from the first import until warm: all four 1.8-2.2 s and 570 MB resident, the language model
alone 1.3 s and 260 MB.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from realtime_cli.errors import ConfigError
from realtime_cli.server.engines.canned import CannedAnswers
from realtime_cli.server.engines.choice import EngineChoice, RemoteEngine
from realtime_cli.server.engines.interface import EAR_RATE_HZ
from realtime_cli.server.engines.optional_packages import INSTALL, require_parts
from realtime_cli.server.engines.weight_sets import SMART_TURN, WHISPER_BASE
from realtime_cli.server.engines.weights import find_weights
from realtime_cli.settings.settings import LM_KEY, STT_KEY, TTS_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from realtime_cli.server.engines.http_calls import Service
    from realtime_cli.server.engines.interface import (
        LanguageModel,
        SpeechToText,
        TextToSpeech,
        TurnDetection,
        VoiceActivity,
    )

Part = TypeVar("Part")

BUNDLED = EngineChoice()

LANGUAGE_MODEL_THREADS = 1
"""llama.cpp's threads wait for each other by spinning, hundreds of times a token. As soon as another program wants a
core, a waiting thread burns the time slice that the thread it waits for would need. Measured over 15 to 20 turns on two
cores, from the end of recognition to the first sentence: one thread 0.26 s, at most 0.6 s with two busy programs beside
it; two threads 0.18 s, but up to 7.6 s (and 7.6 s of CPU time for a reply of 0.4 s) beside the same programs. Two
threads for the prompt alone: up to 5.4 s beside one busy program. (OMP_WAIT_POLICY=passive cures it, too, but must be
set before the program starts.)"""

MOST_RECOGNITION_THREADS = 4
"""Of Whisper base. CTranslate2's threads meet far less often than llama.cpp's: two take 0.45 s for the 30 s of a window
in place of 0.56 s; beside two busy programs one and two alike take 0.76 s, at most 1.1 s."""

TINY_THREADS = 1
"""Of tiny.en, which reads so little that a second thread gains nothing (0.13 s a clip with one and with two), while the
other core is wanted by the language model of another session."""


@dataclass(frozen=True, slots=True)
class Loaders:
    """How each engine is made. Called at most once each, on a loading thread; what they raise reaches who asked."""

    voice_activity: Callable[[], Callable[[], VoiceActivity]]
    speech_to_text: Callable[[], SpeechToText]
    language_model: Callable[[], LanguageModel]
    text_to_speech: Callable[[], TextToSpeech]
    turn_detection: Callable[[], TurnDetection | None] = lambda: None
    """None where its weights are not here."""


class Engines:
    """The four engines. Each loads on its first use, or ahead of it (:meth:`prefetch`); any thread may ask."""

    def __init__(self, loaders: Loaders, closing: threading.Event | None = None) -> None:
        """``closing`` is set by :meth:`close` before it waits, so that a long load can end itself."""
        self._closing = closing or threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="load-engine")
        self._voice_activity = _Lazy(loaders.voice_activity, self._pool)
        self._speech_to_text = _Lazy(loaders.speech_to_text, self._pool)
        self._language_model = _Lazy(loaders.language_model, self._pool)
        self._text_to_speech = _Lazy(loaders.text_to_speech, self._pool)
        self._turn_detection = _Lazy(loaders.turn_detection, self._pool)

    def prefetch(self, *, speech: bool, replies: bool = True) -> None:
        """Begin to load what hears (``speech``), what answers (``replies``), and what speaks (both). Does not block."""
        if replies:
            self._language_model.begin()
        if speech:
            self._speech_to_text.begin()
            self._voice_activity.begin()
        if speech and replies:
            self._text_to_speech.begin()

    def voice_activity(self) -> VoiceActivity:
        """Voice activity for one stream of audio. Blocks until it is loaded; raises what loading raised."""
        return self._voice_activity.get()()

    @property
    def stt(self) -> SpeechToText:
        """Speech recognition. Blocks until it is loaded; raises what loading raised."""
        return self._speech_to_text.get()

    @property
    def lm(self) -> LanguageModel:
        """The language model. Blocks until it is loaded ; raises what loading raised."""
        return self._language_model.get()

    @property
    def tts(self) -> TextToSpeech:
        """Speech synthesis. Blocks until it is loaded; raises what loading raised."""
        return self._text_to_speech.get()

    @property
    def turn_detection(self) -> TurnDetection | None:
        """What hears whether a turn is over, None where it is not here. Blocks until it is loaded."""
        return self._turn_detection.get()

    def close(self) -> None:
        """End running loads and replies and free the language model. May be called twice.

        Blocks for about 0.05 s, during a load until it is done, during a download for at most one network time-out.
        """
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)
        language_model = self._language_model.loaded()
        if language_model is not None:
            language_model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_engines(
    notice: Callable[[str], None] = lambda _line: None,
    *,
    choice: EngineChoice = BUNDLED,
    speech: bool = True,
    replies: bool = True,
) -> Engines:
    """The engines chosen, which begin to load at once; with ``speech=False`` or ``replies=False`` those that text or
    transcripts alone do without load on demand.

    Returns without waiting. ``notice(line)`` is called on a loading thread with what the user should know: that
    something stands in for what is not here. Nothing is fetched. Raises :class:`ConfigError` with the install command
    when packages are missing, and for an address that is none.
    """
    require_parts()
    remote = _Remote(choice)
    loaders = Loaders(
        voice_activity=_load_voice_activity,
        speech_to_text=remote.recogniser or (lambda: _load_speech_to_text(choice, notice)),
        language_model=remote.language_model or (lambda: _load_language_model(choice, notice)),
        text_to_speech=remote.voice or _load_text_to_speech,
        turn_detection=_load_turn_detection,
    )
    engines = Engines(loaders)
    engines.prefetch(speech=speech, replies=replies)
    return engines


class _Remote:
    """What of a choice is behind an address; what is not is None. Raises ConfigError for what is no address."""

    def __init__(self, choice: EngineChoice) -> None:
        # urllib3, and numpy for speech: only where there is an address.
        self.recogniser: Callable[[], SpeechToText] | None = None
        self.language_model: Callable[[], LanguageModel] | None = None
        self.voice: Callable[[], TextToSpeech] | None = None
        if isinstance(choice.lm, RemoteEngine):
            from realtime_cli.server.engines.chat_completions import ENDING, ChatCompletions

            lm, model = _service("the language model", choice.lm, ENDING, LM_KEY), choice.lm.model
            self.language_model = lambda: ChatCompletions(lm, model)
        if isinstance(choice.stt, RemoteEngine):
            from realtime_cli.server.engines.speech_calls import TRANSCRIPTIONS, Transcriptions

            stt, stt_model = _service("the recogniser", choice.stt, TRANSCRIPTIONS, STT_KEY), choice.stt.model
            self.recogniser = lambda: Transcriptions(stt, stt_model)
        if choice.tts is not None:
            from realtime_cli.server.engines.speech_calls import SPEECH, Speech

            tts, tts_model = _service("the voice", choice.tts, SPEECH, TTS_KEY), choice.tts.model
            self.voice = lambda: Speech(tts, tts_model)


def _service(what: str, engine: RemoteEngine, ending: str, key_variable: str) -> Service:
    from realtime_cli.server.engines.http_calls import Service, base_url

    return Service(what, base_url(engine.url, ending, engine.key, what), engine.key, key_variable)


def _load_voice_activity() -> Callable[[], VoiceActivity]:
    with _importing("onnxruntime"):
        from realtime_cli.server.engines.silero import SileroVoiceActivity, load_session
    session = load_session()
    return lambda: SileroVoiceActivity(session)


def _load_turn_detection() -> TurnDetection | None:
    files = SMART_TURN.find()
    if files is None:
        return None
    with _importing("onnxruntime"):
        from realtime_cli.server.engines.smart_turn import SmartTurn
    return SmartTurn(files[0])


def _load_speech_to_text(choice: EngineChoice, notice: Callable[[str], None]) -> SpeechToText:
    with _importing("ctranslate2"):
        import numpy as np

        from realtime_cli.server.engines.whisper import Whisper
    files = WHISPER_BASE.find() if choice.stt == "base" else None
    if choice.stt == "base" and files is None:
        notice("Whisper base is not here: recognition understands English only")
    most = min(MOST_RECOGNITION_THREADS, _cores())
    whisper = Whisper.base(files, most) if files else Whisper.tiny_en(TINY_THREADS)
    # The first call allocates; it should not be the user's.
    whisper.transcribe(np.zeros(EAR_RATE_HZ, np.float32), None, lambda: False)
    return whisper


def _load_language_model(choice: EngineChoice, notice: Callable[[str], None]) -> LanguageModel:
    weights = choice.lm if isinstance(choice.lm, Path) else find_weights()
    if weights is None:
        notice("the language model is not here: set answers stand in for it")
        return CannedAnswers()
    with _importing("xllamacpp"):
        from realtime_cli.server.engines.gguf import GgufModel
        from realtime_cli.server.engines.small_model import SmolLM
    if choice.lm is not None:
        # A large model is worth all cores, and what it costs when others want them.
        return GgufModel(weights, _cores())
    model = SmolLM(weights, LANGUAGE_MODEL_THREADS)
    model.warm_up()
    return model


def _load_text_to_speech() -> TextToSpeech:
    with _importing("hibari"):
        from realtime_cli.server.engines.hibari import HibariSpeech
        from realtime_cli.server.engines.voices import Voices
    return Voices(HibariSpeech())


class _Lazy(Generic[Part]):
    """A value that is made once, on a loading thread."""

    def __init__(self, load: Callable[[], Part], pool: ThreadPoolExecutor) -> None:
        self._load = load
        self._pool = pool
        self._future: Future[Part] | None = None
        self._lock = threading.Lock()  # two threads may ask for the first time at once

    def begin(self) -> Future[Part]:
        with self._lock:
            if self._future is None:
                self._future = self._pool.submit(self._load)
            return self._future

    def get(self) -> Part:
        return self.begin().result()

    def loaded(self) -> Part | None:
        """The value, if it was ever made."""
        future = self._future
        if future is None or not future.done() or future.cancelled() or future.exception() is not None:
            return None
        return future.result()


@contextmanager
def _importing(package: str) -> Iterator[None]:
    """Turn a package that is there but does not load into one line that says what to do."""
    try:
        yield
    except ImportError as error:
        # xllamacpp's Linux wheels want the system's OpenMP library, which small container images leave out.
        remedy = "install it (Debian, Ubuntu: apt install libgomp1)" if "libgomp" in str(error) else INSTALL
        raise ConfigError(f"the package {package} cannot be loaded ({error})", remedy) from error


def _cores() -> int:
    """Cores that this process may use: a container often has fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
