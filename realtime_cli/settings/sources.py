"""Where each setting's value comes from.

The first of these that has one: the flag, the environment, ``.env``, the profile, the config file's ``[defaults]``, the
setting's own default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from realtime_cli.errors import InputError
from realtime_cli.settings.config_file import Table
from realtime_cli.settings.fields import Field, fields
from realtime_cli.settings.settings import Environment, Settings

ALTERNATIVES = (("local", "provider"), ("plain", "json", "quiet"))
"""Settings that exclude each other: what is said nearer to the command line goes before what is said farther away."""


BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on", "y"), True),
    **dict.fromkeys(("0", "false", "no", "off", "n"), False),
}
"""How people write whether something is on."""


class Found(msgspec.Struct, frozen=True):
    """A setting's value, and where it was found."""

    value: Any
    source: Literal["flag", "environment", ".env", "profile", "defaults", "default"]
    where: str
    """As the user wrote it: the flag, the variable, or the table of the config file."""
    distance: int
    """From the command line: what has less goes first."""


def resolve(flags: Mapping[str, Any], environment: Environment) -> Settings:
    """The settings of this run; ``flags`` holds what the command line said. Raises InputError and ConfigError."""
    values = {name: found.value for name, found in look_up(flags, environment).items()}
    if (values["instructions"] or "").startswith("@"):
        values["instructions"] = read_text(Path(values["instructions"][1:]), "--instructions")
    return Settings(**values)


def look_up(flags: Mapping[str, Any], environment: Environment) -> dict[str, Found]:
    """Every setting's value and where it came from. Raises InputError and ConfigError."""
    known = {field.name: field for field in fields()}
    file = environment.file
    for table in file.layers(None):
        table.check_names(known)
    for table in file.profiles.values():
        table.check_names(known.keys() - {"profile"})
    profile = _find(known["profile"], flags, environment, file.layers(None))
    layers = file.layers(profile.value)
    found = {name: _find(field, flags, environment, layers) for name, field in known.items()}
    for names in ALTERNATIVES:
        said = [name for name in names if found[name].value not in (None, False)]
        nearest = min((found[name].distance for name in said), default=0)
        found |= {name: _default(known[name]) for name in said if found[name].distance > nearest}
    for name in ("local", "provider"):
        if found[name].value in (True, "local") and found["base_url"].distance < found[name].distance:
            # Who names an address nearer to the command line means to go there.
            found[name] = _default(known[name])
    if found["local"].value:
        if found["provider"].value not in ("auto", "local"):
            raise InputError("--local and --provider contradict each other", "give one of them")
        found["provider"] = msgspec.structs.replace(found["local"], value="local")
    return found


def _find(field: Field, flags: Mapping[str, Any], environment: Environment, layers: tuple[Table, ...]) -> Found:
    if flags.get(field.name) not in (None, [], ()):
        return Found(_convert(field, field.flag, flags[field.name]), "flag", field.flag, 0)
    if field.variable in environment:
        where = environment.origin(field.variable)
        if environment.in_dotenv(field.variable):
            said = _from_folder(environment.folder, field.name, {field.name: environment[field.variable]})
            return Found(_convert(field, where, said), ".env", where, 2)
        return Found(_convert(field, where, environment[field.variable]), "environment", where, 1)
    for table in layers:
        if field.name in table.values:
            value = _convert(
                field, table.place_of(field.name), _from_folder(table.path.parent, field.name, table.values)
            )
            if table.label == "[defaults]":
                return Found(value, "defaults", table.label, 4)
            return Found(value, "profile", table.label, 3)
    return _default(field)


def _default(field: Field) -> Found:
    return Found(field.default, "default", "default", 5)


def _from_folder(folder: Path, name: str, values: Mapping[str, Any]) -> Any:
    """The value; a file that it names is looked for beside the file that names it, not where one happens to be."""
    value = values[name]
    if name == "instructions" and isinstance(value, str) and value.startswith("@"):
        return f"@{folder / Path(value[1:]).expanduser()}"
    if name == "tools" and isinstance(value, str | list):
        files = _parts(value) if isinstance(value, str) else value
        return [str(folder / Path(str(file)).expanduser()) for file in files]
    return value


def _parts(text: str) -> list[str]:
    """The values of a repeatable setting in one text."""
    return [part.strip() for part in text.split(";") if part.strip()]


def _convert(field: Field, origin: str, value: Any) -> Any:
    if field.repeatable and isinstance(value, str):
        value = _parts(value)  # a variable
    if field.is_flag and isinstance(value, str):
        value = BOOLEANS.get(value.strip().lower(), value)
    try:
        # As it stands first: the lax conversion of text takes "inf" for a number that it then refuses.
        return getattr(msgspec.convert({field.name: value}, Settings), field.name)
    except msgspec.ValidationError:
        pass
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # a device's number in the config file
    try:
        return getattr(msgspec.convert({field.name: value}, Settings, strict=False), field.name)
    except msgspec.ValidationError as error:
        raise InputError(f"{origin}: {value!r} is not usable", f"it takes {field.allowed}") from error


def read_text(path: Path, flag: str) -> str:
    """The text in a file that ``flag`` names. Raises InputError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{flag}: cannot read {path}: {reason}") from error
