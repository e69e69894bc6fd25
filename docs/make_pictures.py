"""Makes the README's pictures from real runs of the program: ``python -m docs.make_pictures`` in a checkout.

Each is a terminal in which the program runs with the embedded server, drawn as it was, or its page in Chromium. It
takes about two minutes.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.browser import chromium
from tests.pty_driver import XTERM, Terminal
from tests.web_program import running

ROOT = Path(__file__).parent.parent
QUESTION = ROOT / "examples" / "question.wav"

COLUMNS, LINES = 84, 20
PAGE_SIZE = (1000, 800)
"""Of the browser's window."""

_COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow", "default": None}
"""What pyte calls some colours, and rich does not."""


def main() -> None:
    """Hold two talks, and look at what was kept of them."""
    with tempfile.TemporaryDirectory() as data:
        environ = {"REALTIME_CLI_DATA_DIR": data, "REALTIME_CLI_SAVE": "true", "OPENAI_API_KEY": ""}
        for question in ("What is the capital of Spain?", "Name a planet with rings."):
            with Terminal(_program("say", "--local", question), environ=environ, answers=XTERM) as terminal:
                terminal.wait_for_end()
        _chat(environ)
        _saved("search", ("sessions", "search", "capital"), environ)
        _saved("stats", ("sessions", "stats"), environ)
    _page()


def _chat(environ: Mapping[str, str]) -> None:
    arguments = ("chat", "--local", "--mic", str(QUESTION), "--speaker", "none", "--stats")
    with Terminal(_program(*arguments), columns=COLUMNS, lines=LINES, environ=environ, answers=XTERM) as terminal:
        terminal.wait_for("Paris")
        terminal.wait_for("listening")
        terminal.send("What is the capital of Italy?\r")
        terminal.wait_for("Rome")
        _draw(terminal, "chat", "realtime-cli chat --local --stats")
        terminal.send("\x03")
        terminal.wait_for_end()


def _saved(name: str, arguments: tuple[str, ...], environ: Mapping[str, str]) -> None:
    with Terminal(_program(*arguments), columns=COLUMNS, lines=LINES, environ=environ, answers=XTERM) as terminal:
        terminal.wait_for_end()
        _draw(terminal, name, f"realtime-cli {' '.join(arguments)}")


def _page() -> None:
    """A talk on the page, by day and by night: a question is spoken, and another one written."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), "--local") as program,
        chromium(Path(folder)) as page,
    ):
        page.driver.set_window_size(*PAGE_SIZE)
        page.open(program.url)
        page.start()
        page.until(lambda: any("Paris" in text for _, text, _ in page.said))
        page.click("mute")
        page.until(lambda: page.text("status") == "Connected")
        page.write("What is the capital of Italy?")
        page.until(lambda: "Rome" in page.said[-1][1] and page.text("status") == "Connected")
        for scheme, name in (("light", "web"), ("dark", "web-dark")):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            page.driver.save_screenshot(str(ROOT / "docs" / f"{name}.png"))


def _program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "realtime_cli", *arguments]


def _draw(terminal: Terminal, name: str, title: str) -> None:
    """Write the screen as ``docs/NAME.svg``."""
    rows = terminal.screen()
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for number in range(len(rows)):
        console.print(_row(terminal, number), soft_wrap=True)
    path = ROOT / "docs" / f"{name}.svg"
    svg = console.export_svg(title=title, unique_id=f"picture-{name}")
    # Viewers that collapse blanks would shift what stands behind them.
    path.write_text(svg.replace("<svg ", '<svg xml:space="preserve" ', 1), encoding="utf-8")
    print(path.relative_to(ROOT))  # noqa: T201 -- a script


def _row(terminal: Terminal, number: int) -> Text:
    text = Text(no_wrap=True)
    for cell in terminal.cells(number):
        style = Style(
            color=_colour(cell.fg), bgcolor=_colour(cell.bg), bold=cell.bold, italic=cell.italics,
            underline=cell.underscore, strike=cell.strikethrough, reverse=cell.reverse,
        )  # fmt: skip
        text.append(cell.data, style)
    return text


def _colour(name: str) -> str | None:
    if name in _COLOURS:
        return _COLOURS[name]
    if len(name) == 6 and all(each in "0123456789abcdef" for each in name):
        return f"#{name}"
    return name.replace("bright", "bright_")


if __name__ == "__main__":
    main()
