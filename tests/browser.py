"""A real browser without a window, whose microphone plays a recording again and again."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.needs import need
from tests.running import ROOT
from tests.waiting import PATIENCE_S

QUESTION = ROOT / "examples" / "question.wav"
PAUSE_S = 4
"""Between two questions: longer than any answer of the tests that is not to be interrupted."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-loopback-in-peer-connection",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1000,800",
)


class Page:
    """The page as a person sees it."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def click(self, name: str) -> None:
        self.driver.find_element(By.ID, name).click()

    def grant(self, name: str) -> None:
        """Answer a question by this button, as soon as it takes an answer."""
        self.until(self.driver.find_element(By.ID, name).is_enabled)
        self.click(name)

    def text(self, name: str) -> str:
        return self.driver.find_element(By.ID, name).text

    def write(self, text: str) -> None:
        self.driver.find_element(By.ID, "text").send_keys(text + "\n")

    def press(self, key: str) -> None:
        """A key, wherever the keyboard's focus is."""
        ActionChains(self.driver).send_keys(key).perform()

    def start(self, *, muted: bool = False) -> None:
        """Begin to talk, and note the loudest that comes from then on. ``muted``: before the microphone is open."""
        if muted:
            press = "document.getElementById('mute').click()"
            self.driver.execute_script(
                f"document.getElementById('start').addEventListener('click', () => {press}, {{ once: true }})"
            )
        self.driver.execute_script(
            "window.loudest = 0;"
            "setInterval(() => { loudest = Math.max(loudest, document.getElementById('theirs').value) }, 50)"
        )
        self.click("start")

    @property
    def loudest(self) -> float:
        return float(self.driver.execute_script("return window.loudest"))

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """Who, what, and what is remarked of it, in the order of the page."""
        found: list[list[str]] = self.driver.execute_script(
            "return [...document.querySelectorAll('#lines li')].map((line) => [line.classList[0],"
            " line.querySelector('.text').textContent, line.querySelector('.note')?.textContent ?? ''])"
        )
        return [(who, text, note) for who, text, note in found]

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """The lines of what was said."""
        return [line for line in self.lines if line[0] in ("user", "assistant")]

    @property
    def last(self) -> str:
        """The text of the latest line."""
        lines = self.lines
        return lines[-1][1] if lines else ""

    def until_answered(self, words: str) -> None:
        """Wait for a reply that ends with these words, and for its end: before that it counts as interrupted."""
        self.until(lambda: self.last.endswith(words) and self.text("status") == "Connected")

    def until(self, state: Callable[[], Any]) -> None:
        """Wait for what the page must come to; a line that it asks for may not be there yet."""
        waiting = WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.05, ignored_exceptions=(IndexError,))
        try:
            waiting.until(lambda _driver: state())
        except TimeoutException:
            raise AssertionError((self.lines, self.text("status"), self.text("problem"))) from None


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """The browser until the end of the block."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    need(binary is not None and driver is not None, "Chromium (apt-get install chromium chromium-driver)")
    options = Options()
    options.binary_location = binary or ""
    microphone = folder / "microphone.wav"
    with wave.open(str(QUESTION)) as question, wave.open(str(microphone), "wb") as file:
        file.setparams(question.getparams())
        silence = bytes(2 * question.getframerate())
        file.writeframes(silence + question.readframes(question.getnframes()) + silence * PAUSE_S)
    for flag in (*FLAGS, f"--use-file-for-fake-audio-capture={microphone}", f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    browser = Chrome(options, Service(driver))
    try:
        yield Page(browser)
    finally:
        browser.quit()
