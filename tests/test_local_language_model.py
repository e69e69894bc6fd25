"""The bundled language model: what it answers, what it reads, and the set answers where it is missing."""

from __future__ import annotations

import itertools
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime_cli.errors import ConfigError
from realtime_cli.server.engines.canned import CannedAnswers
from realtime_cli.server.engines.interface import NO_TOOLS, Ended, Message
from realtime_cli.server.engines.loading import Engines
from realtime_cli.server.engines.prompt import primed
from realtime_cli.server.engines.weights import find_weights
from tests.real_engines import never, text

if TYPE_CHECKING:
    from realtime_cli.server.engines.small_model import SmolLM


@pytest.fixture
def mind(engines: Engines) -> SmolLM:
    from realtime_cli.server.engines.small_model import SmolLM

    assert isinstance(engines.lm, SmolLM)
    return engines.lm


def ask(mind: SmolLM, *texts: str, system: str = "") -> str:
    """The reply to the last of ``texts``, which are the user's and the assistant's in turn."""
    history = [Message("system", system)] if system else []
    history += [Message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts)]
    return text(mind.reply(history, NO_TOOLS, 200, never))


# Answers


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
    *pieces, ended = mind.reply([Message("user", "Tell me a long story.")], NO_TOOLS, 5, never)
    assert len(pieces) == 5
    assert isinstance(ended, Ended)
    assert ended.cut_off
    assert ended.written_tokens == 5


def test_a_rambling_reply_ends_with_a_sentence_and_does_not_repeat_itself(mind: SmolLM) -> None:
    story = ask(mind, "Tell me a long story about the sea.")
    assert len(story.split()) < 200
    assert "I'm a chatbot. I'm a chatbot. I'm a chatbot." not in ask(mind, "How are you?")


def test_a_cancelled_reply_stops_and_the_next_one_is_whole(mind: SmolLM) -> None:
    stop = threading.Event()
    pieces = mind.reply([Message("user", "Tell me a long story.")], NO_TOOLS, 200, stop.is_set)
    assert next(pieces)
    stop.set()
    assert list(pieces) == []
    assert "Paris" in ask(mind, "What is the capital of France?")


def test_a_reply_that_is_no_longer_wanted_leaves_no_thread_behind(mind: SmolLM) -> None:
    pieces = mind.reply([Message("user", "Tell me a long story.")], NO_TOOLS, 200, never)
    next(pieces)
    assert "language-model" in {thread.name for thread in threading.enumerate()}
    pieces.close()  # type: ignore[attr-defined]
    assert "language-model" not in {thread.name for thread in threading.enumerate()}


def test_a_reply_that_is_cancelled_from_the_start_is_empty_even_with_much_to_read(mind: SmolLM) -> None:
    assert list(mind.reply([Message("user", "你" * 3000)], NO_TOOLS, 50, lambda: True)) == []


def test_a_long_question_that_nobody_waits_for_any_more_is_not_read_to_its_end(mind: SmolLM) -> None:
    asked = [Message("user", "What do fishes do all day in the deep blue sea? " * 25)]
    looks = itertools.count()
    # It is looked before it is begun, and after the first batch of the question.
    assert text(mind.reply(asked, NO_TOOLS, 200, lambda: next(looks) > 1)) == ""
    *_, ended = mind.reply(asked, NO_TOOLS, 1, never)
    assert isinstance(ended, Ended)
    assert (ended.read_tokens or 0) - (ended.cached_tokens or 0) > 100


def test_any_amount_of_history_and_instructions_still_fits(mind: SmolLM) -> None:
    # One token a byte is the most there can be: characters that the model's vocabulary does not have.
    history = [Message("system", "\U0001f9ff" * 4000)]
    history += [Message(role, "\U0001f9ff" * 400) for _ in range(20) for role in ("user", "assistant")]
    asked = itertools.count()
    # Too much is refused at once; it is enough to see the model begin to read.
    assert list(mind.reply([*history, Message("user", "Hello.")], NO_TOOLS, 1, lambda: next(asked) > 4)) == []
    assert next(asked) > 4


LONG_TALK = tuple(
    message
    for number in range(40)
    for message in (
        Message("user", f"Which animal has the number {number}?"),
        Message("assistant", "The animal that says meow is a cat, forever, forever, forever."),
    )
)


def test_what_is_asked_late_is_answered_as_what_is_asked_first(mind: SmolLM) -> None:
    for question in ("How many legs does a spider have?", "What is the capital of Italy?"):
        assert text(mind.reply([*LONG_TALK, Message("user", question)], NO_TOOLS, 200, never)) == ask(mind, question)


@pytest.mark.parametrize(
    ("told", "question", "answer"),
    [
        ("My name is Anna.", "What is my name?", "Anna"),
        ("I am called Robert and I live in Vienna.", "Where do I live?", "Vienna"),
        ("I like green apples.", "Which fruit do I like?", "apple"),
    ],
)
def test_what_the_user_told_is_known_three_turns_later(mind: SmolLM, told: str, question: str, answer: str) -> None:
    history = [Message("user", told), Message("assistant", "That is nice."), *LONG_TALK[:6], Message("user", question)]
    assert answer in text(mind.reply(history, NO_TOOLS, 200, never))


def test_a_question_that_refers_to_the_turn_before_is_understood(mind: SmolLM) -> None:
    assert "Rome" in ask(mind, "What is the capital of France?", "The capital of France is Paris.", "And of Italy?")


def test_a_reply_to_another_conversation_in_between_leaves_nothing_to_read_again(mind: SmolLM) -> None:
    one, other = (
        [Message("system", f"You are {who}. " + f"{who} likes long walks. " * 15), Message("user", "Who are you?")]
        for who in ("Tim", "Eve")
    )
    for conversation in (one, other, one):
        *_, ended = mind.reply(conversation, NO_TOOLS, 1, never)
    assert isinstance(ended, Ended)
    assert ended.read_tokens is not None
    assert ended.cached_tokens is not None
    assert ended.read_tokens - ended.cached_tokens <= 2


def test_a_closed_model_says_nothing_and_may_be_closed_again(engines: Engines) -> None:
    from realtime_cli.server.engines.small_model import SmolLM

    weights = find_weights()
    assert weights is not None
    model = SmolLM(weights, threads=1)
    pieces = model.reply([Message("user", "Tell me a long story.")], NO_TOOLS, 200, never)
    next(pieces)
    model.close()
    model.close()
    assert list(pieces) == []
    assert list(model.reply([Message("user", "Hello.")], NO_TOOLS, 5, never)) == []


def test_weights_that_are_none_are_a_configuration_error(engines: Engines, tmp_path: Path) -> None:
    from realtime_cli.server.engines.small_model import SmolLM

    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF, but not really")
    with pytest.raises(ConfigError, match=r"broken\.gguf"):
        SmolLM(broken, threads=1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of sockets")
def test_nobody_can_connect_to_the_language_model(mind: SmolLM) -> None:
    mine = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed just now
            mine.add(str(entry.readlink()))
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

    from realtime_cli.server.engines import llama

    weights = find_weights()
    assert weights is not None
    monkeypatch.setattr(llama, "SOCKET_PATH_LIMIT", 0)
    server: Any = llama._start(weights, 1, 512, False)
    request = urllib.request.Request(f"{server.listening_address}/v1/models")
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request)
    refused.value.close()


# What it reads


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
    reply = text(CannedAnswers().reply([Message("user", said)], NO_TOOLS, 200, never))
    assert part in reply
    assert "language model is not on this computer yet" in reply


def test_what_has_no_set_answer_is_repeated_with_the_reason() -> None:
    reply = text(CannedAnswers().reply([Message("user", "Why is grass green?")], NO_TOOLS, 200, never))
    assert reply.startswith("You said: Why is grass green?")
    assert "language model is not on this computer yet" in reply


def test_set_answers_are_bounded_and_can_be_cancelled() -> None:
    answers = CannedAnswers()
    *words, ended = answers.reply([Message("user", "Hello.")], NO_TOOLS, 3, never)
    assert len(words) == 3
    assert ended == Ended(cut_off=True)
    assert list(answers.reply([Message("user", "Hello.")], NO_TOOLS, 3, lambda: True)) == []
