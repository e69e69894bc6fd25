"""The page in a real browser: a talk, interruptions, what it says when something fails, and who may open it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.journal.entries import read
from tests.browser import Page, chromium
from tests.question_server import LONG, QUESTION, answering
from tests.running import ROOT
from tests.serving import Serving
from tests.tool_scripts import write
from tests.waiting import PATIENCE_S
from tests.web_program import KEY, Program, running, web

WEATHER = '''
def get_weather(city: str) -> str:
    """The weather in a city now."""
    return f"grey in {city}"
'''


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


@contextmanager
def talking(folder: Path, *words: str) -> Iterator[tuple[Serving, Program]]:
    """A voice server that hears speech as people's, and answers with these words; and the program with its page."""
    with answering(*words, token=KEY) as serve, web(serve.base_url, folder) as program:
        yield serve, program


def test_both_sides_of_a_talk_are_on_the_page_in_order_and_saved_and_the_reply_is_heard(
    page: Page, tmp_path: Path
) -> None:
    with talking(tmp_path) as (serve, program):
        page.open(program.url)
        page.start()
        page.until(lambda: len(page.said) >= 2 and page.said[1][1])
        assert page.said[:2] == [("user", QUESTION, ""), ("assistant", "Paris.", "")]
        page.until(lambda: page.loudest > 0.5 and page.text("status") == "Connected")
        page.until(program.has_saved_replies)
        assert page.text("latency").endswith(" s")
        assert KEY not in page.driver.page_source
        page.click("start")
        page.until(lambda: serve.server.sessions == 0)
        assert page.text("status") == "Not connected"
        assert page.said[:2] == [("user", QUESTION, ""), ("assistant", "Paris.", "")]
        assert program.interrupt() == 130
        (saved,) = program.saved
    conversation = read(saved)
    assert (conversation.header.command, conversation.model) == ("web", "local")
    said = [(entry.type, entry.text) for entry in conversation.said]
    assert said[:2] == [("user", QUESTION), ("assistant", "Paris.")]
    assert conversation.entries[-1].type == "end"


def test_the_embedded_server_answers_a_page_of_the_same_program_and_has_its_functions_called(
    page: Page, tmp_path: Path
) -> None:
    tools = write(tmp_path, WEATHER)
    with running(tmp_path, "--local", "--tools", tools) as program:
        page.open(program.url)
        page.start(muted=True)  # else the question that the microphone plays interrupts
        page.until(lambda: page.text("status") == "Connected")
        page.write("What is the weather like in Paris?")
        page.until(lambda: [who for who, _, _ in page.lines][-2:] == ["tool", "assistant"] and page.lines[-1][1])
        assert page.lines[-2][1] == 'get_weather(city="Paris")'
        page.click("start")
        assert program.interrupt() == 130
        (saved,) = program.saved
    (result,) = [entry.output for entry in read(saved).entries if entry.type == "tool_result"]
    assert result == "grey in Paris"


def test_speaking_interrupts_the_voice(page: Page, tmp_path: Path) -> None:
    with talking(tmp_path, *LONG) as (_, program):
        page.open(program.url)
        page.start()
        page.until(lambda: any("interrupted after" in note for _, _, note in page.said))
        (_, said, _) = next(line for line in page.said if line[2])
        page.until(lambda: len("".join(LONG)) > len(next(text for _, text, note in page.said if note)))
        assert said
        page.click("start")


def test_what_is_written_interrupts_and_what_was_cut_off_is_saved_as_far_as_it_was_heard(
    page: Page, tmp_path: Path
) -> None:
    with talking(tmp_path, *LONG) as (serve, program):
        page.open(program.url)
        page.start(muted=True)
        page.until(lambda: page.text("status") == "Connected")
        page.write("First?")
        page.until(lambda: page.loudest > 0.5)
        # Some words of it are to be heard before it is cut.
        played = "return document.getElementById('voice').currentTime"
        began = page.driver.execute_script(played)
        page.until(lambda: page.driver.execute_script(played) > began + 2)
        page.write("<b>مرحبا</b>")
        page.until(lambda: len(page.said) == 4 and page.said[3][1])
        assert [who for who, _, _ in page.said] == ["user", "assistant", "user", "assistant"]
        assert page.said[2][1] == "<b>مرحبا</b>"
        page.until(lambda: "interrupted after" in page.said[1][2] and page.said[1][1].endswith("…"))
        page.driver.refresh()
        page.until(lambda: serve.server.sessions == 0)
        assert page.lines == []
        assert program.interrupt() == 130
        (saved,) = program.saved
    said = list(read(saved).said)
    assert [(entry.type, entry.interrupted) for entry in said] == [
        ("user", False),
        ("assistant", True),
        ("user", False),
        ("assistant", True),
    ]
    assert (said[0].text, said[2].text) == ("First?", "<b>مرحبا</b>")
    assert "".join(LONG).startswith(said[1].text)
    assert 0 < len(said[1].text) < len("".join(LONG))


def test_a_microphone_that_is_refused_is_named_with_what_to_do(page: Page, tmp_path: Path) -> None:
    with talking(tmp_path) as (_, program):
        page.open(program.url)
        page.driver.execute_script(
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
        )
        page.start()
        page.until(lambda: "Allow it for this page" in page.text("problem"))


def test_a_server_that_ends_leaves_the_words_and_says_that_it_is_gone(page: Page, tmp_path: Path) -> None:
    with talking(tmp_path) as (serve, program):
        page.open(program.url)
        page.start()
        page.until(lambda: page.said)
        serve.server.close(PATIENCE_S)
        page.until(lambda: "was lost" in page.text("problem"))
        assert page.said


def test_a_program_that_ends_ends_its_calls_and_says_so_on_the_page(page: Page, tmp_path: Path) -> None:
    with talking(tmp_path) as (_, program):
        page.open(program.url)
        page.start()
        page.until(lambda: page.text("status") == "Connected")
        assert program.interrupt() == 130
        page.until(lambda: "has ended the call" in page.text("problem"))
        assert page.text("status") == "Not connected"


def status(url: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    """Status and headers of an answer."""
    try:
        request = urllib.request.Request(url, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers


def test_only_who_knows_the_address_gets_the_page_and_no_other_page_makes_a_call(tmp_path: Path) -> None:
    with talking(tmp_path) as (_, program):
        url = program.url
        assert status(url)[0] == 200
        assert status(url.rstrip("/")[:-1] + "x/")[0] == 404
        for route in ("start", "news", "tell"):
            assert status(f"{url}{route}", "POST")[0] == 400
            assert status(f"{url}{route}", "POST", Origin="https://evil.example")[0] == 403
        assert status(url, Host="evil.example")[0] == 403
        assert status(f"{url}page.py")[0] == 404
        headers = status(url)[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_never_makes_markup_of_text() -> None:
    script = (ROOT / "realtime_cli" / "web" / "page" / "page.js").read_text(encoding="utf-8")
    assert not any(
        word in script for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
    )
