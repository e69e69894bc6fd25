"""Images in a turn."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.errors import InputError
from realtime_cli.images import MAX_BYTES, image_part
from realtime_cli.protocol.client_events import MAX_EVENT_BYTES
from realtime_cli.terminal.slash_commands import SlashCommands
from tests import scripts
from tests.running import run
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)


@pytest.mark.parametrize(("data", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
def test_an_image_becomes_a_data_uri_of_its_kind(data: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    part = image_part(tmp_path / "x")
    assert part.type == "input_image"
    assert part.image_url == f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_what_is_no_image_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("GIF89a")
    with (tmp_path / "large").open("wb") as file:
        file.write(PNG)
        file.truncate(MAX_BYTES + 1)
    for name, words in (("text", "no PNG"), ("large", "larger than 11 MB"), ("nowhere", "cannot read")):
        with pytest.raises(InputError, match=words):
            image_part(tmp_path / name)


def test_the_largest_image_is_an_event_under_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.write(PNG)
        file.truncate(MAX_BYTES)
    assert len(image_part(tmp_path / "large").image_url or "") < MAX_EVENT_BYTES - 60_000


def test_say_shows_images_along_with_the_words(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.jpg").write_bytes(JPEG)
    with ScriptedServer(scripts.text_turns("A cat.")) as server:
        arguments = ("--image", str(tmp_path / "a.png"), "--image", str(tmp_path / "b.jpg"))
        done = run("say", "What is this?", *arguments, "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "A cat.\n"), done.stderr
    content = server.of_type("conversation.item.create")[0]["item"]["content"]
    assert [part["type"] for part in content] == ["input_text", "input_image", "input_image"]


def test_say_needs_no_words_beside_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    with ScriptedServer(scripts.text_turns("A cat.")) as server:
        done = run("say", "--image", str(tmp_path / "a.png"), "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "A cat.\n")
    (part,) = server.of_type("conversation.item.create")[0]["item"]["content"]
    assert part["type"] == "input_image"


def test_a_server_that_takes_no_images_says_so_in_one_line(tmp_path: Path) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        refused = talk.obey_until("conversation.item.create")
        talk.error("invalid_value", "This model sees nothing.", event_id=refused["event_id"])
        talk.obey_until_closed()

    (tmp_path / "a.png").write_bytes(PNG)
    with ScriptedServer(script) as server:
        done = run("say", "What is this?", "--image", str(tmp_path / "a.png"), "--base-url", server.url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: This model sees nothing.\n")


def test_the_embedded_server_says_that_it_sees_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    done = run("say", "What is this?", "--image", str(tmp_path / "a.png"), "--local")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no images" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_image_is_shown_in_a_chat_by_a_command(tmp_path: Path) -> None:
    path = tmp_path / "my cat.png"
    path.write_bytes(PNG)
    (fact,) = SlashCommands().facts(f'/image "{path}" Who is this?')
    assert fact == f.Typed("Who is this?", parts=(image_part(path),))
    for line in ("/image", '/image "open', f"/image {tmp_path}/nowhere.png"):
        assert all(isinstance(fact, f.Noted) for fact in SlashCommands().facts(line))
