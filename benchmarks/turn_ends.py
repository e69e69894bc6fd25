"""Where turns end: how many are cut off in a pause within the sentence, and how late finished ones are answered.

Turns of two parts with a pause of 0.7 to 1.5 s between them, by four synthetic voices, and by people where Debian's
``asterisk-core-sounds-en-g722`` is installed or its folder is named: there a clip is parted at its quietest place,
which may well sound finished. In the time of the sound, not of the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.figures import Series, arguments, show
from benchmarks.local_voice.clips import HUMAN, Samples, g722, in_a_room, trimmed, voices
from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.server.engines.silero import SileroVoiceActivity, load_session
from realtime_cli.server.engines.smart_turn import SmartTurn
from realtime_cli.server.engines.weight_sets import SMART_TURN
from realtime_cli.server.listening.endpointing import EAGERNESS, Endpointing, SpeechStopped
from realtime_cli.server.listening.input_audio import InputAudio

PARTS = (
    ("I would like to know,", "what the capital of France is."),
    ("Can you tell me,", "how many days there are in a week?"),
    ("If it rains tomorrow,", "we will stay at home."),
    ("Please remind me to,", "call my mother this evening."),
    ("When I was a child,", "we lived in a small house by the sea."),
    ("My brother and I,", "went to the cinema yesterday."),
)
PAUSES_S = (0.7, 1.1, 1.5)
SILENCE_S = 9.0
"""After the turn: longer than any last resort."""

MOST_CLIPS = 30

WAYS = {
    "server_vad, 500 ms": Endpointing(),
    **{f"semantic_vad, {name}": Endpointing(meaning=EAGERNESS[name]) for name in ("high", "medium", "low")},
}


def turns(folder: str) -> Iterator[tuple[str, Samples, Samples]]:
    """Who speaks, and the two parts of the turn, 24 kHz."""
    for name, say in voices().items():
        for first, second in PARTS:
            yield name, say(first), say(second)
    for clip in sorted(Path(folder).glob("*.g722"))[::6][:MOST_CLIPS]:
        words = trimmed(g722(clip))
        if 2 * RATE_HZ < len(words) < 6 * RATE_HZ:
            cut = _quietest(words)
            yield "people", words[:cut], words[cut:]


def ends(ear: InputAudio, way: Endpointing, first: Samples, second: Samples, pause_s: float) -> tuple[bool, float]:
    """Whether the turn was cut off in its pause, and how many seconds after its end it was over."""
    pause, after = np.zeros(int(pause_s * RATE_HZ), np.int16), np.zeros(int(SILENCE_S * RATE_HZ), np.int16)
    sound = in_a_room(np.concatenate([first, pause, second, after]))
    second_ms = (len(first) + len(pause)) * 1000 // RATE_HZ
    end_ms = second_ms + len(second) * 1000 // RATE_HZ
    ear.listen("audio/pcm", way)
    stops = [one.audio_end_ms for one in ear.hear(sound.tobytes()) if isinstance(one, SpeechStopped)]
    last_ms = max((stop for stop in stops if stop > second_ms), default=end_ms + int(SILENCE_S * 1000))
    return any(stop <= second_ms for stop in stops), (last_ms - end_ms) / 1000


def main() -> None:
    """Measure and print."""
    folder = str(arguments(__doc__, human=HUMAN)["human"])
    files = SMART_TURN.find()
    if files is None:
        sys.stdout.write("Smart Turn is not here: realtime-cli fetch smart-turn\n")
        return
    detection, session = SmartTurn(files[0]), load_session()
    late: dict[tuple[str, str], list[float]] = {}
    cut: dict[tuple[str, str], list[bool]] = {}
    for number, (who, first, second) in enumerate(turns(folder)):
        for name, way in WAYS.items():
            ear = InputAudio(lambda: SileroVoiceActivity(session), lambda: detection)
            was_cut, seconds = ends(ear, way, first, second, PAUSES_S[number % len(PAUSES_S)])
            late.setdefault((who, name), []).append(seconds)
            cut.setdefault((who, name), []).append(was_cut)
    for who in dict.fromkeys(speaker for speaker, _ in late):
        rows = [
            Series(f"{name}: {sum(cut[who, name])} of {len(cut[who, name])} cut off; late", "s", late[who, name])
            for name in WAYS
        ]
        show(f"The end of a turn: {who}", rows)


def _quietest(words: Samples) -> int:
    """The quietest 50 ms in the middle third."""
    size = RATE_HZ // 20
    loudness = np.convolve(np.abs(words.astype(np.float32)), np.ones(size), "same")
    third = len(words) // 3
    return third + int(np.argmin(loudness[third : 2 * third]))


if __name__ == "__main__":
    main()
