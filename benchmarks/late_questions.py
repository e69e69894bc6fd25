"""Whether the embedded model answers late questions as it answers first ones, and remembers what it was told.

Twenty easy questions, each in a fresh conversation and then all in one, three times over; and what the user told,
asked for three turns later.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence

from realtime_cli.server.engines.interface import NO_TOOLS, LanguageModel, Message
from realtime_cli.server.engines.loading import load_engines

QUESTIONS = (
    ("What is the capital of France?", "Paris"),
    ("How many days are there in a week?", "seven|7"),
    ("What do bees make?", "honey"),
    ("What colour is the sky on a clear day?", "blue"),
    ("What is the largest planet in the solar system?", "Jupiter"),
    ("What is two plus three?", "five|5"),
    ("Which animal says meow?", "cat"),
    ("What do we call frozen water?", "ice"),
    ("Which season comes after winter?", "spring"),
    ("What is the opposite of hot?", "cold"),
    ("How many legs does a spider have?", "eight|8"),
    ("What is the capital of Italy?", "Rome"),
    ("Which planet do we live on?", "earth"),
    ("What is the first month of the year?", "January"),
    ("What do cows drink or give us to drink?", "milk|water"),
    ("Who wrote Romeo and Juliet?", "Shakespeare"),
    ("What gas do we breathe in to live?", "oxygen|air"),
    ("In which country is Tokyo?", "Japan"),
    ("How many minutes are in an hour?", "sixty|60"),
    ("What is the tallest mountain in the world?", "Everest"),
)
TOLD = (
    ("My name is Anna.", "What is my name?", "Anna"),
    ("I am called Robert and I live in Vienna.", "Where do I live?", "Vienna"),
    ("My dog is called Rex.", "What is my dog called?", "Rex"),
    ("I like green apples.", "Which fruit do I like?", "apple"),
    ("My sister's name is Clara.", "What is the name of my sister?", "Clara"),
    ("Call me Peter, please.", "What is my name?", "Peter"),
    ("I'm forty years old.", "How old am I?", "forty|40"),
    ("Hi, this is Maria.", "What is my name?", "Maria"),
    ("I work as a nurse.", "What is my job?", "nurse"),
    ("My favourite colour is purple.", "What is my favourite colour?", "purple"),
)
ROUNDS = 3
TURNS_BETWEEN = 3


def reply(model: LanguageModel, talk: Sequence[Message]) -> str:
    """What it says to the last message."""
    return "".join(piece for piece in model.reply(talk, NO_TOOLS, 200, lambda: False) if isinstance(piece, str))


def ask(model: LanguageModel, talk: list[Message], question: str, right: str) -> bool:
    """Ask in a conversation, which grows by it; whether the answer is right."""
    talk.append(Message("user", question))
    said = reply(model, talk)
    talk.append(Message("assistant", said))
    return re.search(right, said, re.IGNORECASE) is not None


def main() -> None:
    """Measure and print."""
    began = time.monotonic()
    with load_engines(speech=False) as engines:
        model = engines.lm
        fresh = sum(ask(model, [], question, right) for question, right in QUESTIONS)
        talk: list[Message] = []
        late = [
            sum(ask(model, talk, question, right) for question, right in QUESTIONS[:: 1 if number % 2 == 0 else -1])
            for number in range(ROUNDS)
        ]
        remembered = 0
        for number, (told, question, right) in enumerate(TOLD):
            talk = []
            ask(model, talk, told, "")
            for between, _ in QUESTIONS[number : number + TURNS_BETWEEN]:
                ask(model, talk, between, "")
            remembered += ask(model, talk, question, right)
    of = len(QUESTIONS)
    rounds = ", ".join(f"{right} of {of}" for right in late)
    sys.stdout.write(
        f"\nThe embedded model: {fresh} of {of} right in fresh conversations; in one long one {rounds}; "
        f"{remembered} of {len(TOLD)} things remembered; {time.monotonic() - began:.0f} s\n"
    )


if __name__ == "__main__":
    main()
