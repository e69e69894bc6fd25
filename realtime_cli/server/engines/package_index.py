"""A small client of Python package indexes: finds one file of a project and downloads it.

Understands the JSON pages of PEP 691 and the HTML pages of PEP 503, which is all that many mirrors have. The files are
not checked here; whoever asks must know their hash.
"""

from __future__ import annotations

import base64
import json
import os
import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3

from realtime_cli.errors import ConfigError
from realtime_cli.network import http_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_INDEX = "https://pypi.org/simple"
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
"""Where uv and pip are told of another index; the first that is set wins."""

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
"""Seconds, for connecting and for each read: a start waits for it where the network swallows everything."""

REDIRECTS = 5

CHUNK_BYTES = 1 << 18


class IndexUnusable(Exception):
    """The index does not answer, or not with what was asked for; the text names no user and no password."""


class PackageIndex:
    """One package index. Every method blocks on the network; proxies and certificates are the system's."""

    def __init__(self, url: str) -> None:
        """``url`` is that of the "simple" page, and may hold a user and a password."""
        parts = urlsplit(url)
        self.host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit(parts._replace(netloc=self.host)).rstrip("/")
        self._authorization = None
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._authorization = "Basic " + base64.b64encode(user.encode()).decode("ascii")

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> PackageIndex:
        """The index that uv or pip would use, as far as the environment says."""
        for name in INDEX_VARIABLES:
            if value := environment.get(name):
                # uv takes "name=https://…", too.
                return cls(re.sub(r"^[\w-]+=(?=https?://)", "", value))
        return cls(DEFAULT_INDEX)

    def locate(self, project: str, filename: str) -> str:
        """The address of a file of ``project``. Raises :class:`IndexUnusable`, also when there is no such file."""
        with self._open(f"{self._url}/{project}/", ACCEPT) as page:
            body = _read(page, None)
            links = _json_links(body) if "json" in page.headers.get("Content-Type", "") else _html_links(body)
            base = urljoin(f"{self._url}/{project}/", page.geturl() or "")
        for link in links:
            url = urljoin(base, link)
            if unquote(urlsplit(url).path).endswith(f"/{filename}"):
                return url
        raise IndexUnusable(f"it has no {filename}")

    def download(self, url: str, target: IO[bytes], progress: Callable[[int, int], None]) -> None:
        """Write the file at ``url`` to ``target``; ``progress(done_bytes, total_bytes)`` is called for every 256 KB.

        What ``target`` holds already, its position being at the end, is the file's beginning: only the rest is asked
        for (RFC 9110, section 14.2), and where the server sends everything again, it is written over.

        Raises :class:`IndexUnusable` when the connection fails or ends early, and whatever ``target`` and ``progress``
        raise.
        """
        done = target.tell()
        with self._open(url, "*/*", done) as response:
            if response.status == 416:
                return  # There is no more than what is here already.
            if response.status != 206:
                done = target.seek(0)
                target.truncate()
            total = done + int(response.headers.get("Content-Length") or 0)
            while chunk := _read(response, CHUNK_BYTES):
                target.write(chunk)
                done += len(chunk)
                progress(done, max(total, done))
        if done < total:
            raise IndexUnusable(f"the connection ended after {done} of {total} bytes")

    @contextmanager
    def _open(self, url: str, accept: str, start: int = 0) -> Iterator[urllib3.BaseHTTPResponse]:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"}:
            raise IndexUnusable("only http and https addresses are understood")
        headers = {"Accept": accept, "User-Agent": "realtime-cli", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if self._authorization and address.netloc == self.host:
            # A password for the index is no business of other hosts: not sent to one that is linked to, and the
            # library leaves it out where it is redirected to another.
            headers["Authorization"] = self._authorization
        retries = urllib3.Retry(total=REDIRECTS, connect=0, read=0, status=0, other=0, redirect=REDIRECTS)
        try:
            with http_pool(url) as pool:
                response = pool.request(
                    "GET",
                    url,
                    headers=headers,
                    timeout=TIMEOUT,
                    retries=retries,
                    preload_content=False,
                    # The library would throw away what came before an early end; the caller counts.
                    enforce_content_length=False,
                )
                with response:
                    if response.status not in (200, 206, 416 if start else 200):
                        raise IndexUnusable(response.reason or f"status {response.status}")
                    yield response
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise IndexUnusable(_reason(error)) from error
        except ConfigError as error:
            raise IndexUnusable(error.problem) from error


def _read(response: urllib3.BaseHTTPResponse, size: int | None) -> bytes:
    """The next ``size`` bytes, or all of them; a failing connection as :class:`IndexUnusable`."""
    try:
        return response.read(size)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise IndexUnusable(_reason(error)) from error


def _json_links(body: bytes) -> list[str]:
    """Addresses of the files on a page after PEP 691."""
    try:
        return [file["url"] for file in json.loads(body)["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise IndexUnusable("its answer is no package index page") from error


def _html_links(body: bytes) -> list[str]:
    """Addresses of the files on a page after PEP 503."""
    return re.findall(r"""<a\s[^>]*?href=["']([^"']+)["']""", body.decode("utf-8", "replace"), re.IGNORECASE)


def _reason(error: Exception) -> str:
    """In few words: the library names its own objects, addresses in memory and all."""
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason:
        return _reason(error.reason)
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name is unknown"
    cause = error.__cause__ or error
    silent = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)
    # The library's error for a refused connection is one of its time-outs.
    if silent and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "it does not answer"
    return getattr(cause, "strerror", None) or str(cause).rpartition(": ")[2] or type(cause).__name__
