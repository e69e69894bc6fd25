"""The page in a real browser: a talk, interruptions, what it says when something fails, and who may open it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.errors import ConnectionFailed
from realtime_cli.journal.entries import Header, NotAConversation, read
from realtime_cli.journal.writer import Journal
from realtime_cli.server.engines.interface import Transcription
from realtime_cli.server.engines.silero import SileroVoiceActivity, load_session
from realtime_cli.server.webrtc.calls import CALLS_PATH
from realtime_cli.web.keeping import Keeping
from realtime_cli.web.site import CallPlace, page_routes
from tests.browser import Page, chromium
from tests.calling import Whistler
from tests.local_engines import PATIENCE_S, Reciter, SecondsHeard
from tests.running import environment
from tests.serving import Serving, serving

TOKEN = "a-token-of-the-tests-0123456789"
QUESTION = "What is the capital of France?"
LONG = ("This is a reply that takes a good many seconds to be said in full. ", *["And it has another sentence. "] * 9)


class Ear(SecondsHeard):
    """Hears the question of the recording in whatever is said."""

    def transcribe(self, *_: Any) -> Transcription:
        return Transcription(f" {QUESTION}", 0.0)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@contextmanager
def talking(*words: str, token: str | None = None) -> Iterator[Serving]:
    """A voice server that hears speech as people's, and answers with these words."""
    session = load_session()
    lm = Reciter(words or ("Paris.",))
    with serving(token=token, lm=lm, tts=Whistler(), vad=lambda: SileroVoiceActivity(session), stt=Ear()) as serve:
        yield serve


UNSAVED = Keeping("tests", lambda: None, lambda _line: None)


def served(serve: Serving, find_place: Callable[[], CallPlace] | None = None, keeping: Keeping | None = None) -> str:
    """The address of a page that talks with the server it comes from."""

    def at_home() -> CallPlace:
        body = {"session": {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
        key = serve.server.site.policy.keys.mint(body, time.time(), "local")["value"]
        return CallPlace(CALLS_PATH, key, "Tests", "local")

    serve.server.routes = {
        **serve.server.routes,
        **page_routes("door", find_place or at_home, None, keeping or UNSAVED),
    }
    return f"http://127.0.0.1:{serve.server.port}/door/"


def test_both_sides_of_a_talk_are_on_the_page_in_order_and_the_reply_is_heard(page: Page) -> None:
    with talking() as serve:
        page.open(served(serve))
        page.start()
        page.until(lambda: len(page.lines) >= 2 and page.lines[1][1])
        assert page.lines[:2] == [("user", QUESTION, ""), ("assistant", "Paris.", "")]
        page.until(lambda: page.loudest > 0.5 and page.text("status") == "Connected")
        assert page.text("latency").endswith(" s")
        page.click("start")
        page.until(lambda: serve.server.sessions == 0)
        assert page.text("status") == "Not connected"
        assert page.lines[:2] == [("user", QUESTION, ""), ("assistant", "Paris.", "")]


def test_speaking_interrupts_the_voice(page: Page) -> None:
    with talking(*LONG) as serve:
        page.open(served(serve))
        page.start()
        page.until(lambda: any("interrupted after" in note for _, _, note in page.lines))
        (_, said, _) = next(line for line in page.lines if line[2])
        page.until(lambda: len("".join(LONG)) > len(next(text for _, text, note in page.lines if note)))
        assert said
        page.click("start")


def test_what_is_written_interrupts_and_stands_in_its_place(page: Page) -> None:
    with talking(*LONG) as serve:
        page.open(served(serve))
        page.start()
        page.click("mute")
        page.until(lambda: page.text("status") == "Connected")
        page.write("First?")
        page.until(lambda: page.loudest > 0.5)
        page.write("<b>مرحبا</b>")
        page.until(lambda: len(page.lines) == 4 and page.lines[3][1])
        assert [who for who, _, _ in page.lines] == ["user", "assistant", "user", "assistant"]
        assert page.lines[2][1] == "<b>مرحبا</b>"
        page.until(lambda: "interrupted after" in page.lines[1][2])
        page.driver.refresh()
        page.until(lambda: serve.server.sessions == 0)
        assert page.lines == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (CallPlace(CALLS_PATH, "ek_nonsense", "Tests", "local"), "refused the key"),
        (CallPlace("/v1/nothing", "any", "Tests", "local"), "did not take the call"),
        (CallPlace("https://elsewhere.example/", "any", "Tests", "local"), "cannot be reached"),
        (ConnectionFailed("the name tests.example is unknown", "check the network"), "check the network"),
    ],
)
def test_what_fails_is_said_in_words_and_one_may_start_again(page: Page, place: Any, words: str) -> None:
    def find_place() -> CallPlace:
        if isinstance(place, ConnectionFailed):
            raise place
        assert isinstance(place, CallPlace)
        return place

    with talking() as serve:
        page.open(served(serve, find_place))
        page.start()
        page.until(lambda: words in page.text("problem"))
        assert page.text("start") == "Start"
        assert serve.server.sessions == 0


def test_a_microphone_that_is_refused_is_named_with_what_to_do(page: Page) -> None:
    with talking() as serve:
        page.open(served(serve))
        page.driver.execute_script(
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
        )
        page.start()
        page.until(lambda: "Allow it for this page" in page.text("problem"))


def test_a_server_that_ends_leaves_the_words_and_says_that_it_is_gone(page: Page) -> None:
    with talking() as serve:
        page.open(served(serve))
        page.start()
        page.until(lambda: page.lines)
        serve.server.close(PATIENCE_S)
        page.until(lambda: "was lost" in page.text("problem"))
        assert page.lines


def test_the_program_mints_a_key_for_each_call_and_the_browser_talks_with_the_server_elsewhere(
    page: Page, tmp_path: Path
) -> None:
    with talking(token=TOKEN) as serve, started(serve.base_url, tmp_path) as (process, url):
        page.open(url)
        page.start()
        page.until(lambda: len(page.lines) >= 2 and page.lines[1][1])
        assert page.lines[0][1] == QUESTION
        page.until(lambda: page.loudest > 0.5 and page.text("status") == "Connected")
        assert TOKEN not in page.driver.page_source
        page.click("start")
        # What was said is told to the program only when it is final.
        page.until(lambda: [path for path in tmp_path.rglob("*.jsonl") if lines_saved(path) >= 2])
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    (saved,) = tmp_path.rglob("*.jsonl")
    conversation = read(saved)
    assert (conversation.header.command, conversation.model) == ("web", "local")
    assert [(entry.type, entry.text) for entry in conversation.said][:2] == [
        ("user", QUESTION),
        ("assistant", "Paris."),
    ]


def test_what_was_cut_off_is_saved_as_far_as_it_was_heard(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    header = Header(id="talk", at=datetime(2026, 11, 26, tzinfo=UTC), command="web")
    keeping = Keeping("tests", lambda: Journal(path, header, print), print)
    with talking(*LONG) as serve:
        page.open(served(serve, keeping=keeping))
        page.start()
        page.click("mute")
        page.until(lambda: page.text("status") == "Connected")
        page.write("First?")
        page.until(lambda: page.loudest > 0.5)
        # Some words of it are to be heard before it is cut.
        played = "return document.getElementById('voice').currentTime"
        began = page.driver.execute_script(played)
        page.until(lambda: page.driver.execute_script(played) > began + 2)
        page.write("Second?")
        page.until(lambda: len(page.lines) == 4 and page.lines[3][1])
        page.until(lambda: "interrupted after" in page.lines[1][2] and page.lines[1][1].endswith("…"))
        page.until(lambda: path.exists() and lines_saved(path) >= 3)
        page.driver.refresh()
        page.until(lambda: serve.server.sessions == 0)
        keeping.close(PATIENCE_S)
    said = list(read(path).said)
    assert [(entry.type, entry.interrupted) for entry in said[:3]] == [
        ("user", False),
        ("assistant", True),
        ("user", False),
    ]
    assert (said[0].text, said[2].text) == ("First?", "Second?")
    assert "".join(LONG).startswith(said[1].text)
    assert len(said[1].text) < len("".join(LONG))


def lines_saved(path: Path) -> int:
    """How much of a conversation is in its file, which may have been made just now."""
    try:
        return len(list(read(path).said))
    except NotAConversation:
        return 0


@contextmanager
def started(base_url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program with a page for a server elsewhere, and the page's address."""
    command = [sys.executable, "-m", "realtime_cli", "web", "--no-open", "--json", "--base-url", base_url]
    # How chats are to be held has no say in the page.
    chats = {"REALTIME_CLI_INTERRUPTIONS": "careful"}
    variables = environment(**chats, OPENAI_API_KEY=TOKEN, REALTIME_CLI_DATA_DIR=str(folder), REALTIME_CLI_SAVE="true")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def status(url: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    """Status and headers of an answer."""
    try:
        request = urllib.request.Request(url, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers


def test_only_who_knows_the_address_gets_the_page_and_no_other_page_gets_a_key() -> None:
    with talking() as serve:
        url = served(serve)
        assert status(url)[0] == 200
        assert status(url.replace("door", "guess"))[0] == 404
        assert status(f"{url}start", "POST")[0] == 200
        assert status(f"{url}start", "POST", Origin="https://evil.example")[0] == 403
        assert status(url, Host="evil.example")[0] == 403
        assert status(f"{url}../door/page.py")[0] == 404
        headers = status(url)[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_never_makes_markup_of_text() -> None:
    script = (Path(__file__).parent.parent / "realtime_cli" / "web" / "page" / "page.js").read_text(encoding="utf-8")
    assert not any(
        word in script for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
    )
