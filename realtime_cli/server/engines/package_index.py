"""A small client of Python package indexes: finds one file of a project and downloads it.

Understands the JSON pages of PEP 691 and the HTML pages of PEP 503, which is all that many mirrors have. The files are
not checked here; whoever asks must know their hash.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_INDEX = "https://pypi.org/simple"
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
"""Where uv and pip are told of another index; the first that is set wins."""

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
TIMEOUT_S = 15.0
"""For connecting and for each read: long enough for a slow mirror, short enough to wait for at the end."""

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
            body = _read(page, -1)
            links = _json_links(body) if "json" in page.headers.get_content_type() else _html_links(body)
            base: str = page.url
        for link in links:
            url = urljoin(base, link)
            if unquote(urlsplit(url).path).endswith(f"/{filename}"):
                return url
        raise IndexUnusable(f"it has no {filename}")

    def download(self, url: str, target: IO[bytes], progress: Callable[[int, int], None]) -> None:
        """Write the file at ``url`` to ``target``; ``progress(done_bytes, total_bytes)`` is called for every 256 KB.

        Raises :class:`IndexUnusable` when the connection fails or ends early, and whatever ``target`` and ``progress``
        raise.
        """
        with self._open(url, "*/*") as response:
            total = int(response.headers.get("Content-Length") or 0)
            done = 0
            while chunk := _read(response, CHUNK_BYTES):
                target.write(chunk)
                done += len(chunk)
                progress(done, max(total, done))
        if done < total:
            raise IndexUnusable(f"the connection ended after {done} of {total} bytes")

    @contextmanager
    def _open(self, url: str, accept: str) -> Iterator[Any]:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"}:
            raise IndexUnusable("only http and https addresses are understood")
        request = Request(url, headers={"Accept": accept, "User-Agent": "realtime-cli"})  # noqa: S310 (checked above)
        if self._authorization and address.netloc == self.host:
            # A password for the index is no business of other hosts, be they linked to or redirected to.
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            response = urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 (checked above)
        except HTTPError as error:
            error.close()  # an HTTP error is a response, too, with a connection of its own
            raise IndexUnusable(_reason(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise IndexUnusable(_reason(error)) from error
        with response:
            yield response


def _read(response: Any, size: int) -> bytes:
    """The next ``size`` bytes, or all of them when it is negative; a failing connection as :class:`IndexUnusable`."""
    try:
        chunk: bytes = response.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise IndexUnusable(_reason(error)) from error
    return chunk


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
    return str(getattr(error, "reason", "") or error) or type(error).__name__
