"""Reads what a run finds without being told: the environment, the ``.env`` of a folder, and the config file."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

from realtime_cli.errors import InputError
from realtime_cli.ownership import NotOurs, read_own
from realtime_cli.settings.config_file import FILE_NAME, ConfigFile, read_config_file
from realtime_cli.settings.folders import CACHE_DIR, config_folder
from realtime_cli.settings.settings import Environment
from realtime_cli.settings.trust import permitted


def load_environment(start: Path | None = None) -> Environment:
    """The environment of this process, the ``.env`` of the working directory or its nearest parent that has one, and
    the config file. Blocks for the disk. Raises InputError, ConfigError and NotOurs for files that cannot be used.
    """
    process = os.environ
    file = read_config_file(config_folder(process) / FILE_NAME)
    environment = _with_dotenv(process, file, start)
    if CACHE_DIR in environment:
        # Asked for by the loading threads of the engines, which know nothing of settings.
        os.environ[CACHE_DIR] = environment[CACHE_DIR]
    return environment


def find_dotenv(folder: Path) -> Path | None:
    """The ``.env`` in ``folder`` or its nearest parent that has one; a folder that cannot be looked into has none."""
    for each in (folder, *folder.parents):
        try:
            if (path := each / ".env").is_file():
                return path
        except PermissionError:
            continue
    return None


def _with_dotenv(process: Mapping[str, str], file: ConfigFile, start: Path | None) -> Environment:
    try:
        path = find_dotenv(start or Path.cwd())
    except FileNotFoundError:
        path = None  # the working directory was deleted
    if path is None:
        return Environment(process, None, file)
    try:
        values, wrong = _read_dotenv(path)
    except NotOurs as error:
        return Environment(process, None, file, notices=(f"not read: {error}",))
    if any(path.parent.samefile(folder) for folder in file.trusted_folders if folder.exists()):
        return Environment(process, values, file, dotenv_path=path, trusted=True, notices=_misread(path, wrong))
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        reason = f"not read: {path} is a link out of its folder, which you have not trusted"
        return Environment(process, None, file, notices=(reason,))
    said = permitted(values, process, file)
    notices = (*_misread(path, wrong), *((_ignored(path, said.ignored, file),) if said.ignored else ()))
    return Environment(process, said.values, file, dotenv_path=path, notices=notices)


def _misread(path: Path, lines: list[int]) -> tuple[str, ...]:
    numbers = ", ".join(map(str, lines))
    return (f"passed over in {path}, as it is not NAME=VALUE: line {numbers}",) if lines else ()


def _ignored(path: Path, names: tuple[str, ...], file: ConfigFile) -> str:
    return (
        f"ignored from {path}, as a folder may not say it: {', '.join(names)}; "
        f'if you trust it: folders = ["{path.parent}"] under [trust] in {file.path}'
    )


def _read_dotenv(path: Path) -> tuple[dict[str, str], list[int]]:
    """What it says, and the lines that say nothing. Raises NotOurs, and InputError for a file that cannot be read."""
    from dotenv.parser import parse_stream  # only where there is one

    try:
        text = read_own(path).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}", error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    # The parser alone: the library's other functions put the environment's keys into whatever the file says with
    # ${…}, an address for one.
    lines = list(parse_stream(io.StringIO(text)))
    wrong = [line.original.line for line in lines if line.error]
    return {line.key: line.value for line in lines if line.key and line.value and not line.error}, wrong
