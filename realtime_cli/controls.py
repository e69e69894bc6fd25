"""What the user's keys have set, for the keyboard that sets it and the status line that shows it."""

from __future__ import annotations

import msgspec


class Controls(msgspec.Struct, frozen=True):
    """Immutable, so that the keyboard's thread can replace it while the view's thread reads it."""

    keyboard: bool = False
    """Keys are read at all; without them the status line names none but Ctrl-C."""
    listens: bool = True
    """There is a microphone."""
    push_to_talk: bool = False
    hold: bool = False
    """The terminal reports releases: the talk key is held, not tapped."""
    talk_key: str = "space"
    talk_limit_s: int = 60
    """How long one press of it may last."""
    muted: bool = False
    half_duplex: bool = False
    """Nothing is heard while the model is audible."""
    away: bool = False
    """Somebody else has the terminal, as after Ctrl-Z: nothing is drawn."""
    resumed: int = 0
    """How often the program went on after Ctrl-Z, below whatever the shell wrote meanwhile."""
    typing: str | None = None
    """The line being typed, or None when keys are commands."""
    cursor: int = 0
    """How many characters of it are before the cursor."""
    candidates: tuple[str, ...] = ()
    """What it may become, where completion left a choice."""
    answers: bool = False
    """Keys answer the question that is asked; one that has just appeared is not answered yet."""
    help: bool = False
    """The list of the keys is on the screen."""

    @property
    def mutes(self) -> bool:
        """A key can mute the microphone: with push-to-talk it is closed anyway."""
        return self.listens and not self.push_to_talk
