"""The engines on real speech: espeak-ng asks, and what comes back is what was said, answered and spoken."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr

from realtime_cli.errors import ConfigError
from realtime_cli.local.engines import parts
from realtime_cli.local.engines.canned import CannedAnswers
from realtime_cli.local.engines.interface import EAR_RATE_HZ, VAD_FRAMES, Message, SpeechToText, TextToSpeech
from realtime_cli.local.engines.loading import Engines, Loaders, load_engines
from realtime_cli.local.engines.mel import log_mel
from realtime_cli.local.engines.prompt import primed
from realtime_cli.local.weights import WeightsOutOfReach, fetch_weights, find_weights
from realtime_cli.pcm import RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    from realtime_cli.local.engines.llama import SmolLM

    Speech = npt.NDArray[np.float32]

ROOT = Path(__file__).parent.parent
ESPEAK_RATE_HZ = 22_050
SECOND = EAR_RATE_HZ
WAV_HEADER_BYTES = 44


def never() -> bool:
    return False


def need(there: bool, what: str) -> None:
    """Skip where something is missing; on CI fail instead."""
    if not there and os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    if not there:
        pytest.skip(f"{what} is missing")


@cache
def spoken(text: str, voice: str = "en-us") -> Speech:
    """``text`` said by espeak-ng, at 16 kHz."""
    need(shutil.which("espeak-ng") is not None, "espeak-ng")
    wav = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "160", "--stdout", text], check=True, capture_output=True
    ).stdout
    samples = np.frombuffer(wav[WAV_HEADER_BYTES:], "<i2").astype(np.float32) / 32768
    return np.asarray(soxr.resample(samples, ESPEAK_RATE_HZ, EAR_RATE_HZ), np.float32)


def silence(seconds: float) -> Speech:
    return np.zeros(int(seconds * SECOND), np.float32)


def noise(seconds: float, level: float) -> Speech:
    return np.random.default_rng(0).normal(0, level, int(seconds * SECOND)).astype(np.float32)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    need(not parts.missing_parts(), "the optional part")
    try:
        fetch_weights(lambda _done, _total: None)
    except WeightsOutOfReach as error:
        need(False, str(error))
    with load_engines() as loaded:
        yield loaded


@pytest.fixture
def ear(engines: Engines) -> SpeechToText:
    return engines.stt


@pytest.fixture
def mouth(engines: Engines) -> TextToSpeech:
    return engines.tts


@pytest.fixture
def mind(engines: Engines) -> SmolLM:
    from realtime_cli.local.engines.llama import SmolLM

    assert isinstance(engines.lm, SmolLM)
    return engines.lm


def ask(mind: SmolLM, *texts: str, system: str = "") -> str:
    """The reply to the last of ``texts``, which are the user's and the assistant's in turn."""
    history = [Message("system", system)] if system else []
    history += [Message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts)]
    return "".join(mind.reply(history, 200, never))


# Voice activity


def probabilities(engines: Engines, sound: Speech) -> list[float]:
    activity = engines.voice_activity()
    ends = range(VAD_FRAMES, len(sound), VAD_FRAMES)
    return [activity.probability(sound[end - VAD_FRAMES : end]) for end in ends]


def test_speech_is_told_from_the_silence_around_it(engines: Engines) -> None:
    found = probabilities(
        engines, np.concatenate((silence(1), spoken("How many legs does a spider have?"), silence(1)))
    )
    per_second = SECOND // VAD_FRAMES
    assert max(found[: per_second - 2]) < 0.3
    assert np.mean(np.array(found[per_second + 5 : -per_second - 10]) > 0.5) > 0.9
    assert max(found[-per_second // 2 :]) < 0.3


def test_noise_is_no_speech(engines: Engines) -> None:
    assert max(probabilities(engines, noise(2, 0.05))) < 0.5


def test_a_reset_makes_voice_activity_answer_as_at_the_start(engines: Engines) -> None:
    activity = engines.voice_activity()
    frame = spoken("Hello there.")[4096 : 4096 + VAD_FRAMES]
    first = activity.probability(frame)
    again = activity.probability(frame)
    activity.reset()
    assert activity.probability(frame) == first != again


def test_two_streams_of_voice_activity_know_nothing_of_each_other(engines: Engines) -> None:
    one, other = engines.voice_activity(), engines.voice_activity()
    frame = spoken("Hello there.")[4096 : 4096 + VAD_FRAMES]
    first = one.probability(frame)
    one.probability(frame)
    assert other.probability(frame) == first


def test_a_window_of_another_size_is_refused(engines: Engines) -> None:
    with pytest.raises(ValueError, match="512"):
        engines.voice_activity().probability(silence(1))


# Speech recognition


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("voice", ["en-us", "en-gb"])
@pytest.mark.parametrize(
    "said",
    [
        "Tell me a joke.",
        "Turn off the light in the kitchen, please.",
        "I would like to book a table for tomorrow evening.",
    ],
)
def test_what_is_said_is_recognised_word_by_word(ear: SpeechToText, said: str, voice: str) -> None:
    found = ear.transcribe(spoken(said, voice))
    assert words(found.text) == words(said)
    assert found.no_speech_probability < 0.5


def test_faint_speech_is_recognised_as_well(ear: SpeechToText) -> None:
    found = ear.transcribe(spoken("Stop.") * np.float32(0.005))
    assert words(found.text) == ["stop"]
    assert found.no_speech_probability < 0.5


@pytest.mark.parametrize(
    "sound",
    [silence(1), silence(4), noise(1, 0.001), noise(2, 0.05), noise(4, 0.3)],
    ids=["silence", "longer silence", "faint noise", "noise", "loud noise"],
)
def test_where_nobody_speaks_nothing_is_recognised(ear: SpeechToText, sound: Speech) -> None:
    heard = ear.transcribe(sound)
    assert heard.text == ""
    assert heard.no_speech_probability > 0.8


def test_a_hum_in_which_the_model_hears_you_stays_empty(ear: SpeechToText) -> None:
    hum = np.sin(np.arange(4 * SECOND) * 2 * np.pi * 120 / EAR_RATE_HZ).astype(np.float32)
    assert ear.transcribe(hum).text == ""


def test_no_audio_at_all_is_no_speech(ear: SpeechToText) -> None:
    heard = ear.transcribe(silence(0))
    assert (heard.text, heard.no_speech_probability) == ("", 1.0)


def test_speech_of_more_than_thirty_seconds_is_recognised_to_its_end(ear: SpeechToText) -> None:
    sentences = [f"Sentence number {n} is about the weather in the mountains." for n in range(1, 16)]
    speech = np.concatenate([np.concatenate((spoken(sentence), silence(0.4))) for sentence in sentences])
    assert len(speech) > 45 * SECOND
    text = ear.transcribe(speech).text.lower()
    assert text.count("weather") == text.count("mountains") == len(sentences)
    assert "15" in text or "fifteen" in text


def test_long_speech_is_cut_where_it_is_quiet_and_loses_nothing(engines: Engines) -> None:
    from realtime_cli.local.engines.whisper import split

    speech = noise(70, 0.1)
    pauses = (24 * SECOND, 50 * SECOND)
    for pause in pauses:
        speech[pause : pause + SECOND // 2] = 0
    pieces = list(split(speech))
    cuts = np.cumsum([len(piece) for piece in pieces])[:-1]
    assert np.array_equal(np.concatenate(pieces), speech)
    assert [pause <= cut < pause + SECOND // 2 for cut, pause in zip(cuts, pauses, strict=True)] == [True, True]


def test_the_picture_of_a_pure_tone_is_bright_at_its_pitch_and_while_it_lasts() -> None:
    tone = np.sin(np.arange(SECOND) * 2 * np.pi * 1000 / EAR_RATE_HZ).astype(np.float32)
    picture = log_mel(tone)
    assert picture.shape == (80, 3000)
    # 1000 Hz is mel 15 of 45.2, which 81 steps cover: band 25 or 26.
    assert set(picture[:, 10:90].argmax(axis=0)) <= {25, 26}
    assert picture[:, 105:].max() == picture.min()


def test_the_picture_does_not_depend_on_silence_being_written_out() -> None:
    speech = spoken("Tell me a joke.")
    padded = np.concatenate((speech, silence(30 - len(speech) / SECOND)))
    np.testing.assert_allclose(log_mel(speech), log_mel(padded), atol=1e-5)


# The language model


def test_an_easy_question_is_answered(mind: SmolLM) -> None:
    assert "Paris" in ask(mind, "What is the capital of France?")


def test_the_same_question_gets_the_same_answer(mind: SmolLM) -> None:
    assert ask(mind, "What do bees make?") == ask(mind, "What do bees make?")


def test_instructions_of_the_user_are_obeyed(mind: SmolLM) -> None:
    question = "What is the capital of France?"
    assert "capital de" in ask(mind, question, system="Answer in Spanish.")
    assert "capital de" not in ask(mind, question)


def test_what_was_said_before_is_known(mind: SmolLM) -> None:
    answer = ask(mind, "My dog is called Rex.", "Rex is a nice name for a dog.", "What is my dog called?")
    assert "Rex" in answer


def test_a_reply_holds_at_most_the_tokens_asked_for(mind: SmolLM) -> None:
    pieces = list(mind.reply([Message("user", "Tell me a long story.")], 5, never))
    assert len(pieces) == 5


def test_a_rambling_reply_ends_with_a_sentence_and_does_not_repeat_itself(mind: SmolLM) -> None:
    story = ask(mind, "Tell me a long story about the sea.")
    assert len(story.split()) < 200
    assert "I'm a chatbot. I'm a chatbot. I'm a chatbot." not in ask(mind, "How are you?")


def test_a_cancelled_reply_stops_and_the_next_one_is_whole(mind: SmolLM) -> None:
    stop = threading.Event()
    pieces = mind.reply([Message("user", "Tell me a long story.")], 200, stop.is_set)
    assert next(pieces)
    stop.set()
    assert list(pieces) == []
    assert "Paris" in ask(mind, "What is the capital of France?")


def test_a_reply_that_is_no_longer_wanted_leaves_no_thread_behind(mind: SmolLM) -> None:
    pieces = mind.reply([Message("user", "Tell me a long story.")], 200, never)
    next(pieces)
    assert "language-model" in {thread.name for thread in threading.enumerate()}
    pieces.close()  # type: ignore[attr-defined]
    assert "language-model" not in {thread.name for thread in threading.enumerate()}


def test_a_reply_that_is_cancelled_from_the_start_is_empty_even_with_much_to_read(mind: SmolLM) -> None:
    assert list(mind.reply([Message("user", "你" * 3000)], 50, lambda: True)) == []


def test_any_amount_of_history_and_instructions_still_fits(mind: SmolLM) -> None:
    # One token a byte is the most there can be: characters that the model's vocabulary does not have.
    history = [Message("system", "\U0001f9ff" * 4000)]
    history += [Message(role, "\U0001f9ff" * 400) for _ in range(20) for role in ("user", "assistant")]
    asked = itertools.count()
    # Too much is refused at once; it is enough to see the model begin to read.
    assert list(mind.reply([*history, Message("user", "Hello.")], 1, lambda: next(asked) > 4)) == []
    assert next(asked) > 4


def test_dropping_old_history_does_not_make_the_model_read_the_rest_again(mind: SmolLM) -> None:
    history: list[Message] = []
    events = []
    for number in range(20):
        history.append(Message("user", f"What do you know about the number {number}?"))
        asked = itertools.count()
        # The model asks after each stretch of the prompt that it has read whether it should go on.
        list(mind.reply(history, 1, lambda asked=asked: next(asked) < 0))  # type: ignore[misc]
        history.append(Message("assistant", f"It is one more than {number - 1}."))
        events.append(next(asked))
    assert len(primed(history)) < len(primed(history[:-10])) + 10, "nothing was dropped"
    assert set(events) == {events[0]}


def test_a_closed_model_says_nothing_and_may_be_closed_again(engines: Engines) -> None:
    from realtime_cli.local.engines.llama import SmolLM

    weights = find_weights()
    assert weights is not None
    model = SmolLM(weights, threads=1)
    pieces = model.reply([Message("user", "Tell me a long story.")], 200, never)
    next(pieces)
    model.close()
    model.close()
    assert list(pieces) == []
    assert list(model.reply([Message("user", "Hello.")], 5, never)) == []


def test_weights_that_are_none_are_a_configuration_error(engines: Engines, tmp_path: Path) -> None:
    from realtime_cli.local.engines.llama import SmolLM

    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF, but not really")
    with pytest.raises(ConfigError, match=r"broken\.gguf"):
        SmolLM(broken, threads=1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of sockets")
def test_nobody_can_connect_to_the_language_model(mind: SmolLM) -> None:
    mine = {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    listening = "0A"
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            assert fields[3] != listening or f"socket:[{fields[9]}]" not in mine, f"listens on {fields[1]}"
    local = [line.split() for line in Path("/proc/net/unix").read_text().splitlines() if "llama.sock" in line]
    paths = {fields[7] for fields in local if f"socket:[{fields[6]}]" in mine}
    assert paths, "where does llama.cpp listen?"
    for path in paths:
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(FileNotFoundError):
            client.connect(path)


def test_without_unix_sockets_the_port_asks_for_a_key(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.error
    import urllib.request

    from realtime_cli.local.engines import llama

    weights = find_weights()
    assert weights is not None
    monkeypatch.setattr(llama, "SOCKET_PATH_LIMIT", 0)
    server: Any = llama._start(weights, threads=1)
    request = urllib.request.Request(f"{server.listening_address}/v1/models")
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request)
    refused.value.close()


# What the language model reads


def test_old_history_is_dropped_in_steps_so_that_the_rest_is_read_only_once() -> None:
    history = [Message("assistant" if n % 2 else "user", f"{n} " + "x" * 150) for n in range(60)]
    starts = [primed(history[: n + 1])[7]["content"].split()[0] for n in range(0, 60, 2)]
    assert len(set(starts)) < len(starts) / 1.5
    assert int(starts[-1]) > 40


def test_the_last_message_is_read_however_long_it_is() -> None:
    chat = primed([Message("user", "x" * 9000)])
    assert chat[-1]["role"] == "user"
    assert 1000 < len(chat[-1]["content"]) < 9000


def test_a_reply_that_nobody_asked_for_still_has_something_to_answer() -> None:
    assert primed([])[-1]["role"] == "user"
    assert primed([Message("user", "Hi."), Message("assistant", "Hello!")])[-1]["role"] == "user"


def test_the_priming_comes_first_whatever_the_instructions() -> None:
    plain, instructed = primed([]), primed([Message("system", "Talk like a pirate.")])
    assert instructed[:7] == plain[:7]
    assert instructed[7] == {"role": "system", "content": "Talk like a pirate."}


# Speech


def heard(ear: SpeechToText, speech: npt.NDArray[np.int16]) -> str:
    samples = speech.astype(np.float32) / 32768
    return ear.transcribe(np.asarray(soxr.resample(samples, RATE_HZ, EAR_RATE_HZ), np.float32)).text


def test_every_voice_says_what_it_is_told(ear: SpeechToText, mouth: TextToSpeech) -> None:
    sentence = "The capital of France is Paris."
    assert {voice: heard(ear, mouth.synthesize(sentence, voice, 1.0)) for voice in mouth.voices} == dict.fromkeys(
        mouth.voices, sentence
    )


def test_every_voice_sounds_different(mouth: TextToSpeech) -> None:
    spoken_by = {mouth.synthesize("Hello there.", voice, 1.0).tobytes() for voice in mouth.voices}
    assert len(spoken_by) == len(mouth.voices) == 10


def test_an_unknown_voice_is_the_first_one(mouth: TextToSpeech) -> None:
    unknown = mouth.synthesize("Hello there.", "nobody", 1.0)
    assert np.array_equal(unknown, mouth.synthesize("Hello there.", mouth.voices[0], 1.0))


def pitch_hz(speech: npt.NDArray[np.int16]) -> float:
    """The middle one of the pitches of all 50 ms, each told by the strongest period between 60 and 400 Hz."""
    size, shortest, longest = RATE_HZ // 20, RATE_HZ // 400, RATE_HZ // 60
    frames = speech[: len(speech) // size * size].astype(np.float64).reshape(-1, size)
    loud = frames[np.abs(frames).max(axis=1) > 1000]
    spectrum = np.abs(np.fft.rfft(loud, 2 * size, axis=1)) ** 2
    periods = np.fft.irfft(spectrum, axis=1)[:, shortest:longest].argmax(axis=1)
    return float(RATE_HZ / (shortest + np.median(periods)))


def test_a_deep_voice_is_deeper_than_a_high_one(mouth: TextToSpeech) -> None:
    sentence = "Where are you now? We are all in the garden."
    deep, middle, high = (pitch_hz(mouth.synthesize(sentence, voice, 1.0)) for voice in ("echo", "marin", "shimmer"))
    assert deep < 0.8 * middle
    assert middle < 0.9 * high


def test_speed_makes_speech_shorter_or_longer(mouth: TextToSpeech) -> None:
    slow, plain, fast = (
        len(mouth.synthesize("The quick brown fox jumps over the lazy dog.", "marin", speed))
        for speed in (0.25, 1.0, 1.5)
    )
    assert slow > 3 * plain
    assert fast < 0.75 * plain


@pytest.mark.parametrize("text", ["", " \n", "😀", "你好"])
def test_what_cannot_be_spoken_is_empty_audio(mouth: TextToSpeech, text: str) -> None:
    speech = mouth.synthesize(text, "marin", 1.0)
    assert speech.shape == (0,)
    assert speech.dtype == np.int16


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# News of the day", "news"),
        ("It is **very** cold.", "very"),
        ("That is rule ①, please.", "one"),
        ("9" * 50, "9"),
    ],
)
def test_marks_and_odd_numbers_are_read_sensibly(ear: SpeechToText, mouth: TextToSpeech, text: str, word: str) -> None:
    said = heard(ear, mouth.synthesize(text, "marin", 1.0)).lower()
    assert word in said or {"one": "1", "9": "nine"}.get(word, word) in said
    assert "hash" not in said


# Loading


def test_no_part_is_missing_where_all_are_installed(engines: Engines) -> None:
    assert parts.missing_parts() == []


def test_missing_parts_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PACKAGES", ("json", "no_such_package"))
    assert parts.missing_parts() == ["no_such_package"]
    with pytest.raises(ConfigError, match=r"no_such_package.*pip install 'realtime-voice-cli\[local\]'"):
        load_engines()


def heavy_imports_after(script: str) -> str:
    """Which of the engines' libraries are loaded once ``script`` has run in a Python of its own."""
    heavy = "('numpy', 'onnxruntime', 'ctranslate2', 'hibari', 'xllamacpp')"
    script += f"\nimport sys; print(*(name for name in {heavy} if name in sys.modules))"
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_asking_for_missing_parts_imports_none_of_the_heavy_ones() -> None:
    script = """
from realtime_cli.local.engines.loading import load_engines
from realtime_cli.local.engines.parts import missing_parts
missing_parts()
"""
    assert heavy_imports_after(script) == ""


def test_a_text_session_loads_the_language_model_and_nothing_else(engines: Engines) -> None:
    script = """
from realtime_cli.local.engines.loading import load_engines
with load_engines(speech=False) as engines:
    engines.lm
"""
    assert heavy_imports_after(script) == "xllamacpp"


def loaders_of(**known: Callable[[], Any]) -> Loaders:
    """Loaders of which only the ``known`` ones may be called."""

    def unexpected() -> Any:
        pytest.fail("this engine was not asked for")

    names = ("voice_activity", "speech_to_text", "language_model", "text_to_speech")
    return Loaders(**{name: known.get(name, unexpected) for name in names})


def test_an_engine_is_loaded_once_however_many_threads_ask() -> None:
    together = threading.Barrier(8)
    made: list[CannedAnswers] = []

    def make() -> CannedAnswers:
        made.append(CannedAnswers())
        return made[-1]

    with Engines(loaders_of(language_model=make)) as loaded, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(lambda: (together.wait(), loaded.lm)[1]) for _ in range(8)]
        found = [future.result() for future in asked]
    assert len(made) == 1
    assert found == made * 8


def test_an_engine_that_cannot_be_loaded_says_so_to_everyone_who_asks() -> None:
    def fail() -> Any:
        raise ConfigError("no model here")

    with Engines(loaders_of(language_model=fail)) as engines:
        for _ in range(2):
            with pytest.raises(ConfigError, match="no model here"):
                _ = engines.lm


def test_closing_ends_a_load_that_watches_for_it() -> None:
    closing, begun = threading.Event(), threading.Event()

    def endless() -> Any:
        begun.set()
        closing.wait()
        raise ConfigError("closed")

    before = set(threading.enumerate())
    engines = Engines(loaders_of(language_model=endless), closing)
    engines.prefetch(speech=False)
    begun.wait()
    assert set(threading.enumerate()) != before
    engines.close()
    assert set(threading.enumerate()) == before


def test_without_weights_and_network_set_answers_stand_in(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_CLI_CACHE_DIR", str(tmp_path))
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{unheard.getsockname()[1]}/simple")
        notices: list[str] = []
        with load_engines(notice=notices.append, speech=False) as offline:
            answer = "".join(offline.lm.reply([Message("user", "Hello!")], 200, never))
    assert "language model is not on this computer yet" in answer
    assert len(notices) == 1
    assert "go online once" in notices[0]


# Set answers


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("Can you hear me?", "I hear you"),
        ("Good morning.", "Hello!"),
        ("Thank you!", "welcome"),
        ("Bye now.", "Goodbye"),
    ],
)
def test_a_set_answer_fits_what_was_said(said: str, part: str) -> None:
    reply = "".join(CannedAnswers().reply([Message("user", said)], 200, never))
    assert part in reply
    assert "language model is not on this computer yet" in reply


def test_what_has_no_set_answer_is_repeated_with_the_reason() -> None:
    reply = "".join(CannedAnswers().reply([Message("user", "Why is grass green?")], 200, never))
    assert reply.startswith("You said: Why is grass green?")
    assert "language model is not on this computer yet" in reply


def test_set_answers_are_bounded_and_can_be_cancelled() -> None:
    answers = CannedAnswers()
    assert len(list(answers.reply([Message("user", "Hello.")], 3, never))) == 3
    assert list(answers.reply([Message("user", "Hello.")], 3, lambda: True)) == []
