"""A file of Python functions, read as tools."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from realtime_cli.errors import InputError
from realtime_cli.tools.call_text import error_text
from realtime_cli.tools.functions import FunctionTool
from realtime_cli.tools.mark import mark_of


def load_tools(path: str) -> list[FunctionTool]:
    """The marked functions of the file, or all its public ones if none is marked. Runs the file; main thread.

    Raises InputError for a file that cannot be read, raises, offers nothing, or has a function without a schema.
    """
    module = _run(Path(path))
    functions = [value for value in vars(module).values() if inspect.isfunction(value)]
    marked = [function for function in functions if mark_of(function)]
    chosen = marked or [function for function in functions if _is_public(function, module)]
    if not chosen:
        raise InputError(f"--tools {path}: there is no function in it", "define one whose name has no leading _")
    # A function may have a second name.
    return [FunctionTool(function, path) for function in dict.fromkeys(chosen)]


def _is_public(function: Callable[..., Any], module: ModuleType) -> bool:
    return function.__module__ == module.__name__ and not function.__name__.startswith("_")


def _run(path: Path) -> ModuleType:
    # A name of its own, so that a file named json.py does not take the place of a module that others import.
    name = f"realtime_tools_{abs(hash(path.resolve())):x}"
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(path)))
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"--tools {path}: there is no such file", "name a .py file")
    module = importlib.util.module_from_spec(spec)
    # Where pydantic looks up names in annotations, and what pickle and dataclasses expect.
    sys.modules[name] = module
    # The file may import its neighbours, as it could if Python ran it.
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"--tools {_place(path, error)}: {error_text(error)}", "fix the file") from error
    return module


def _place(path: Path, error: BaseException) -> str:
    """File and line where the file itself went wrong."""
    line: int | None = None
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
    return f"{path}:{line}" if line else str(path)
