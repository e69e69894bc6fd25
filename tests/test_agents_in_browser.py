"""OpenAI's agents SDK for JavaScript in a real browser, over WebRTC, on a page of another origin than the server's."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.browser import Page, chromium
from tests.calling import post
from tests.http_server import Quiet, http_server
from tests.needs import need
from tests.question_server import LONG, QUESTION, answering
from tests.serving import Serving
from tests.waiting import wait_until

JAVASCRIPT = Path(__file__).parent / "javascript"


class Files(Quiet, SimpleHTTPRequestHandler):
    """Serves the folder of the SDKs."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(JAVASCRIPT))


@contextmanager
def pages() -> Iterator[str]:
    """The origin of a web server for the folder of the SDKs."""
    need((JAVASCRIPT / "node_modules").is_dir(), f"the SDKs for JavaScript (npm ci --prefix {JAVASCRIPT})")
    with http_server(Files) as origin:
        yield origin


def start(page: Page, origin: str, serve: Serving) -> None:
    """Open the page and begin the call, with a key that was minted for it."""
    page.open(f"{origin}/agents_webrtc.html")
    _, made, _ = post(f"{serve.base_url}/realtime/client_secrets", b"{}", {"Authorization": "Bearer any"})
    call = "start(...arguments).catch((error) => saw.errors.push(String(error)))"
    page.driver.execute_script(call, f"{serve.base_url}/realtime/calls", json.loads(made)["value"])
    wait_until(lambda: saw(page, "saw.status || saw.errors.length"))
    assert saw(page, "saw.errors") == []


def saw(page: Page, what: str) -> Any:
    return page.driver.execute_script(f"return {what}")


def test_it_holds_a_spoken_turn_hears_the_reply_and_interrupts_it(tmp_path: Path) -> None:
    with chromium(tmp_path) as page, pages() as origin, answering(*LONG) as serve:
        start(page, origin, serve)
        assert saw(page, "saw.callId").startswith("rtc_")
        wait_until(lambda: saw(page, "saw.loudest") > 0.1)
        wait_until(lambda: len(saw(page, "saw.lines")) >= 2)
        assert saw(page, "saw.lines[0]") == ["user", QUESTION]
        # The question comes again while the reply is being said, of which the SDK then keeps what was heard.
        wait_until(lambda: "conversation.item.truncated" in saw(page, "saw.kinds"))
        assert "output_audio_buffer.cleared" in saw(page, "saw.kinds")
        wait_until(lambda: 0 < len(saw(page, "saw.lines[1][1]")) < len("".join(LONG)))
        assert "".join(LONG).startswith(saw(page, "saw.lines[1][1]"))
        wait_until(lambda: len(saw(page, "saw.lines")) >= 4)
        assert [who for who, _ in saw(page, "saw.lines")][:4] == ["user", "assistant"] * 2
        assert saw(page, "saw.errors") == []
        page.driver.execute_script("session.mute(true); session.interrupt(); session.sendMessage('And in words?')")
        wait_until(lambda: ["user", "And in words?"] in saw(page, "saw.lines"))
        wait_until(lambda: saw(page, "saw.lines.at(-1)") == ["assistant", "".join(LONG)])
        page.driver.execute_script("session.close()")
        wait_until(lambda: serve.server.sessions == 0)


def test_the_call_of_a_browser_that_is_killed_is_over_within_seconds(tmp_path: Path) -> None:
    with chromium(tmp_path) as page, pages() as origin, answering() as serve:
        start(page, origin, serve)
        assert serve.server.sessions == 1
        os.kill(page.driver.capabilities["goog:processID"], signal.SIGKILL)
        wait_until(lambda: serve.server.sessions == 0)
