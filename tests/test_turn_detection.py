"""What hears the end of a turn, and recognition in other languages: the weights that are fetched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.errors import TurnError
from realtime_cli.server.engines.interface import EAR_RATE_HZ
from realtime_cli.server.engines.loading import Engines
from realtime_cli.server.engines.weight_sets import SMART_TURN, WHISPER_BASE, WeightSet
from realtime_cli.server.engines.weights import WeightsOutOfReach
from tests.needs import need, need_espeak
from tests.real_engines import never
from tests.speech_sounds import spoken


def fetched(weights: WeightSet) -> None:
    """Have the weights here; without a way to them the test cannot be done."""
    try:
        weights.fetch(lambda _done, _total: None)
    except WeightsOutOfReach as error:
        need(False, str(error))


def heard(text: str, voice: str) -> npt.NDArray[np.float32]:
    """Words by espeak-ng and a fifth of a second of silence, 16 kHz."""
    words = spoken(text, voice) * np.float32(0.1)
    resampled = np.asarray(soxr.resample(words, RATE_HZ, EAR_RATE_HZ), np.float32)
    return np.concatenate([resampled, np.zeros(EAR_RATE_HZ // 5, np.float32)])


def test_half_a_sentence_does_not_sound_finished_and_thanks_do() -> None:
    need_espeak()
    fetched(SMART_TURN)
    from realtime_cli.server.engines.smart_turn import SmartTurn

    files = SMART_TURN.find()
    assert files is not None
    model = SmartTurn(files[0])
    assert model.finished(heard("because the", "en-gb")) < 0.3
    assert model.finished(heard("Thank you very much.", "en-gb")) > 0.6
    assert 0 <= model.finished(np.zeros(0, np.float32)) <= 1


def test_what_is_not_english_is_understood_and_noise_is_not() -> None:
    need_espeak()
    fetched(WHISPER_BASE)
    from realtime_cli.server.engines.whisper import Whisper

    files = WHISPER_BASE.find()
    assert files is not None
    model = Whisper.base(files, 2)
    german = model.transcribe(heard("Berlin ist die Hauptstadt von Deutschland.", "de"), "de-AT", never)
    assert "Hauptstadt von Deutschland" in german.text
    assert german.language == "de"
    spanish = model.transcribe(heard("Buenos días.", "es"), None, never)
    assert (spanish.text.strip("¡!.").casefold(), spanish.language) == ("buenos días", "es")
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * EAR_RATE_HZ).astype(np.float32)
    assert model.transcribe(noise, None, never).text == ""
    with pytest.raises(TurnError, match="'xx' is not recognised"):
        model.transcribe(noise, "xx", never)


def test_the_english_recogniser_says_what_it_does_not_know(engines: Engines) -> None:
    with pytest.raises(TurnError, match="understands English only: start it with --stt base"):
        engines.stt.transcribe(np.zeros(EAR_RATE_HZ, np.float32), "de", never)
    assert engines.stt.transcribe(np.zeros(EAR_RATE_HZ, np.float32), "en_GB", never).text == ""
