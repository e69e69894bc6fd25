"""``realtime-cli web`` as a program, for tests that open its page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from realtime_cli.journal.entries import read
from tests.browser import Page
from tests.running import environment
from tests.scripted_talk import Talk
from tests.tool_scripts import Call, make_calls
from tests.waiting import PATIENCE_S

KEY = "a-token-of-the-tests-0123456789"


TOOLS = '''
def look(place: str) -> str:
    """Looks around."""
    print("looking", place)
    return f"a tree in the {place}"
'''


class Program:
    """It runs; ``url`` is its page."""

    def __init__(self, process: subprocess.Popen[str], url: str, folder: Path) -> None:
        self._process = process
        self.url = url
        self._folder = folder

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE_S)

    @property
    def saved(self) -> list[Path]:
        """The files of saved conversations, by the second in which they began."""
        return sorted(self._folder.rglob("*.jsonl"))

    def has_saved_replies(self, conversations: int = 1) -> bool:
        """Whether so many conversations are saved, each with a reply; the page may know of its end earlier."""
        kinds = [[entry.type for entry in read(path).entries] for path in self.saved]
        return len(kinds) == conversations and all("assistant" in each for each in kinds)


def web(base_url: str, folder: Path, *flags: str) -> AbstractContextManager[Program]:
    """The program with a page for the server there, until the end of the block."""
    return running(folder, "--base-url", base_url, *flags, OPENAI_API_KEY=KEY)


@contextmanager
def running(folder: Path, *flags: str, **variables: str) -> Iterator[Program]:
    """The program, which keeps in ``folder`` what it saves and says."""
    command = [sys.executable, "-m", "realtime_cli", "web", "--no-open", "--json", *flags]
    # How chats are to be held has no say in the page.
    kept = {"REALTIME_CLI_DATA_DIR": str(folder), "REALTIME_CLI_SAVE": "true", "REALTIME_CLI_INTERRUPTIONS": "careful"}
    with (
        (folder / "stderr.txt").open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment(**kept, **variables), text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (folder / "stderr.txt").read_text()
            yield Program(process, json.loads(line)["url"], folder)
        finally:
            process.kill()


def looks(talk: Talk) -> None:
    """Calls the function in each turn, and says what became of it."""
    talk.greet()
    while True:
        talk.obey_until("response.create")
        make_calls(talk, Call("look", {"place": "garden"}))
        talk.obey_until("response.create")
        outputs = [event["item"] for event in talk.received if event.get("item", {}).get("output")]
        talk.reply(f"There is {outputs[-1]['output']}.")


def open_and_write(page: Page, url: str, text: str) -> None:
    page.open(url)
    page.start()
    page.until(lambda: page.text("status") == "Connected")
    page.write(text)
