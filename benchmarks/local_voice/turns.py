"""Spoken turns: from the end of the speech, and from the endpoint, to the first sound of the reply; words wrong.

Beside each wait stands the processor time that the whole process took meanwhile, on all cores: a wait that grew without
it was the machine's, which had something else to do; one that grew with it was the server's.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence

from benchmarks.figures import Series, show
from benchmarks.local_voice.clips import Clip
from benchmarks.local_voice.conversation import Conversation, Turn
from realtime_cli.server.local_server import LocalServer

PAUSE_S = 0.3
AIM_S, MOST_S = 0.25, 1.0
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SAME = {"favorite": "favourite", "color": "colour", **{str(digit): word for digit, word in enumerate(NUMBERS)}}
"""Ways to write a word, by the one that counts."""


def measure(server: LocalServer, said: Sequence[Clip]) -> None:
    """Hold one conversation and print."""
    turns: list[tuple[Clip, Turn]] = []
    with Conversation(server) as conversation:
        for clip in said:
            turns.append((clip, conversation.ask(clip.sound)))
            time.sleep(PAUSE_S)
    waits = {
        "end of speech to endpoint": [turn.endpoint.since(turn.ended) for _, turn in turns],
        "endpoint to first audio": [turn.first.since(turn.endpoint) for _, turn in turns],
        "end of speech to first audio": [turn.first.since(turn.ended) for _, turn in turns],
        "first audio to end of reply": [turn.done.since(turn.first) for _, turn in turns],
    }
    goals = {"endpoint to first audio": f"{AIM_S}, none over {MOST_S}"}
    rows = []
    for name, seen in waits.items():
        rows.append(Series(name, "s", [wall for wall, _ in seen], goal=goals.get(name, "")))
        rows.append(Series("  processor time", "s", [cpu for _, cpu in seen]))
    show(f"Embedded server: {len(turns)} spoken turns, {sum(turn.cut_off for _, turn in turns)} cut off", rows)
    for clip, turn in sorted(turns, key=_wait, reverse=True)[:3]:
        wall_s, cpu_s = turn.first.since(turn.endpoint)
        sys.stdout.write(f"slowest: {wall_s:.2f} s with {cpu_s:.2f} s of processor time, {clip.who}: {clip.words}\n")
    for who in dict.fromkeys(clip.who for clip in said):
        heard = [(clip.words, turn.heard) for clip, turn in turns if clip.who == who]
        wrong, of = sum(errors(*pair) for pair in heard), sum(len(bare(words)) for words, _ in heard)
        sys.stdout.write(f"words wrong, {who}: {wrong} of {of} ({100 * wrong / of:.1f} %) in {len(heard)} turns\n")
    sys.stdout.flush()


def _wait(said: tuple[Clip, Turn]) -> float:
    return said[1].first.wall_s - said[1].endpoint.wall_s


def bare(words: str) -> list[str]:
    """The words alone, in one spelling."""
    found = re.findall(r"[\w']+", words.casefold().replace("-", " "))
    return [SAME.get(word, word) for word in found]


def errors(said: str, heard: str) -> int:
    """How many words must be changed, put in or left out (Levenshtein's distance)."""
    wanted, got = bare(said), bare(heard)
    row = list(range(len(got) + 1))
    for number, word in enumerate(wanted, 1):
        above, row = row, [number]
        for at, other in enumerate(got, 1):
            row.append(min(row[-1] + 1, above[at] + 1, above[at - 1] + (word != other)))
    return row[-1]
