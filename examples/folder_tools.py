"""Functions about the files of a folder, for the model. Needs no network.

    realtime-cli say "What is in the notes about the garden?" --tools examples/folder_tools.py

The folder is the working directory, or what FOLDER_TOOLS_ROOT says; nothing outside it can be read.
"""

from __future__ import annotations

import os
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from realtime_cli import tool

ROOT = Path(os.environ.get("FOLDER_TOOLS_ROOT", ".")).resolve()
MAX_CHARS = 20_000


class Order(Enum):
    """How files are sorted."""

    NAME = "name"
    SIZE = "size"
    NEWEST = "newest"


class File(BaseModel):
    """One file, as the model is told of it."""

    name: str
    size_bytes: int
    changed: datetime


@tool
def list_files(pattern: str = "*", order: Order = Order.NAME) -> list[File]:
    """List the files of the folder, those in subfolders included.

    Args:
        pattern: Which names, with * and ? as wildcards.
        order: How to sort them.
    """
    files = [_about(path) for path in ROOT.rglob(pattern) if path.is_file() and not _is_hidden(path)]
    keys = {Order.NAME: lambda file: file.name, Order.SIZE: lambda file: -file.size_bytes}
    return sorted(files, key=keys.get(order, lambda file: -file.changed.timestamp()))


@tool
def read_file(name: str, first_line: Annotated[int, Field(ge=1)] = 1) -> str:
    """Read a text file.

    Args:
        name: Its name as list_files gives it.
        first_line: Where to begin; line 1 is the first.
    """
    lines = _inside(name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[first_line - 1 :])[:MAX_CHARS]


@tool
async def search(words: str, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> list[str]:
    """Search the text files for words, whatever their case.

    Args:
        words: What to look for.
        limit: How many lines to give at most.
    """
    found = []
    for file in list_files():
        text = _inside(file.name).read_text(encoding="utf-8", errors="replace")
        lines = enumerate(text.splitlines(), 1)
        found += [f"{file.name}:{number}: {line}" for number, line in lines if words.lower() in line.lower()]
    return found[:limit]


def _about(path: Path) -> File:
    status = path.stat()
    name = path.relative_to(ROOT).as_posix()
    return File(name=name, size_bytes=status.st_size, changed=datetime.fromtimestamp(status.st_mtime).astimezone())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)


def _inside(name: str) -> Path:
    path = (ROOT / name).resolve()
    if not path.is_relative_to(ROOT):
        raise ValueError(f"{name} is outside the folder")
    return path
