"""What the ``.env`` of a folder may say. A folder is not the user: it may come from anywhere, like a cloned repository.

It may say keys, models, texts and tastes. It may not say what runs programs, which files and folders are read or
written, or where to connect with a key that is not its own. Which setting may come from a folder is declared with the
setting; this module knows the variables that are no settings, and decides. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from realtime_cli.providers.endpoint import is_loopback
from realtime_cli.providers.profiles import GENERAL_KEY, PROVIDERS
from realtime_cli.settings.config_file import SECRET_ENDINGS, ConfigFile
from realtime_cli.settings.fields import fields
from realtime_cli.settings.folders import CACHE_DIR, CONFIG_DIR, DATA_DIR
from realtime_cli.settings.settings import LM_KEY, SERVE_TOKEN, STT_KEY, TTS_KEY

OF_THE_KEY = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
"""What goes out beside the general key, and says who pays."""

HARMLESS = ("OPENAI_API_VERSION",)
"""Which of Azure's interfaces is spoken."""

NEVER = (CONFIG_DIR, CACHE_DIR, DATA_DIR, SERVE_TOKEN)
"""A folder to read everything from, or to write to; who may use ``serve``."""


class Said(msgspec.Struct, frozen=True):
    """What counts of a folder's ``.env``, and the names of what does not."""

    values: Mapping[str, str] = {}
    ignored: tuple[str, ...] = ()


def permitted(dotenv: Mapping[str, str], process: Mapping[str, str], file: ConfigFile) -> Said:
    """What counts of ``dotenv`` beside the real environment, whose values go before it.

    Variables of other programs are passed by without a word.
    """
    folder = _Folder(dotenv, process, file)
    values: dict[str, str] = {}
    ignored: list[str] = []
    for name, may in _rules(file):
        if not dotenv.get(name) or process.get(name):
            continue
        if may(folder, dotenv[name]):
            values[name] = dotenv[name]
        else:
            ignored.append(name)
    return Said(values, tuple(ignored))


class _Folder(msgspec.Struct, frozen=True):
    dotenv: Mapping[str, str]
    process: Mapping[str, str]
    file: ConfigFile

    def has_the_key(self, variable: str) -> bool:
        """Whether the key that would count is the folder's own: who has it needs nobody to give it away."""
        said = self.dotenv.get(variable)
        return bool(said) and self.process.get(variable) in (None, "", said)

    def may_name_a_place(self, url: str, keys: frozenset[str]) -> bool:
        """Whether a URL may be the folder's: whatever key could go there is the folder's own.

        Without any key it may only be this machine, as a stranger would hear the microphone.
        """
        set_keys = [key for key in keys if self.dotenv.get(key) or self.process.get(key)]
        if set_keys:
            return all(map(self.has_the_key, set_keys))
        return is_loopback(url)


_May = Callable[[_Folder, str], bool]


def _rules(file: ConfigFile) -> Iterator[tuple[str, _May]]:
    """Every variable that this program reads, and whether a folder may set it to some value."""
    providers = dict(_providers(file))
    all_keys = frozenset(key for key, _ in providers.values() if key)
    for field in fields():
        match field.folder:
            case "always":
                yield field.variable, _always
            case "text":
                yield field.variable, _no_file
            case "address":
                yield field.variable, lambda folder, url: folder.may_name_a_place(url, all_keys)
            case "provider":
                yield field.variable, lambda folder, name: _may_choose(folder, name, providers)
            case "never":
                yield field.variable, _never
    for variable in {url for _, url in providers.values()} - {""}:
        keys = frozenset(key for key, url in providers.values() if url == variable and key)
        yield variable, lambda folder, url, keys=keys: folder.may_name_a_place(url, keys)  # type: ignore[misc]
    secrets = (
        all_keys
        | {LM_KEY, STT_KEY, TTS_KEY}
        | {name for name in _mcp_variables(file) if name.lower().endswith(SECRET_ENDINGS)}
    )
    for variable in secrets - {field.variable for field in fields()}:
        yield variable, _always
    for variable in OF_THE_KEY:
        yield variable, lambda folder, _: folder.has_the_key(GENERAL_KEY)
    for variable in {*HARMLESS, *_model_variables(file)}:
        yield variable, _always
    for variable in (*NEVER, *(_mcp_variables(file) - secrets)):
        yield variable, _never


def _always(_folder: _Folder, _value: str) -> bool:
    return True


def _never(_folder: _Folder, _value: str) -> bool:
    return False


def _no_file(_folder: _Folder, text: str) -> bool:
    return not text.lstrip().startswith("@")


def _may_choose(folder: _Folder, name: str, providers: Mapping[str, tuple[str, str]]) -> bool:
    """Whether a folder may choose a provider: its key then goes there, so it must be the folder's own."""
    if name in ("auto", "local"):
        return True
    key, url = providers.get(name, ("", ""))
    if key:
        return folder.has_the_key(key)
    return not url and name in PROVIDERS and is_loopback(PROVIDERS[name].base_url)


def _providers(file: ConfigFile) -> Iterator[tuple[str, tuple[str, str]]]:
    """For each provider, the variables of its key and of its URL."""
    for name, provider in PROVIDERS.items():
        yield name, (provider.key_variable, provider.base_url_variable)
    for name, table in file.providers.items():
        yield name, (str(table.values.get("key_variable", "")), str(table.values.get("base_url_variable", "")))


def _model_variables(file: ConfigFile) -> set[str]:
    """The variables of models that are no settings, as a provider of the user's own may have."""
    found = {str(table.values.get("model_variable", "")) for table in file.providers.values()}
    return found - {""} - {field.variable for field in fields()}


def _mcp_variables(file: ConfigFile) -> set[str]:
    """The variables that the user's own MCP servers are given."""
    found: set[str] = set()
    for table in file.mcp.values():
        variables = table.values.get("variables", ())
        found.update(map(str, variables if isinstance(variables, list) else ()))
        found.add(str(table.values.get("key_variable", "")))
    return found - {""}
