"""What stops a reply with ``--interruptions careful``: assent, coughs, claps and objections, and how soon each does.

Both cores in memory with the embedded server's own ears, in the time of the sound; the voice pauses at once with any
speech. Each sound is tried with transcripts that come soon and late, and without any.
"""

from __future__ import annotations

import shutil
import sys

from benchmarks.figures import Series, arguments, show
from realtime_cli.server.engines.loading import load_engines
from tests.careful_talk import Outcome, Samples, outcome
from tests.speech_sounds import assent, clap, cough, objection, speech

SHORT = ("Stop.", "No!", "Wait.")


def sounds() -> dict[str, list[Samples]]:
    """Every sound, by what it is."""
    return {
        "assent": [assent(number) for number in range(20)],
        "cough": [cough(number) for number in range(6)],
        "clap": [clap(number) for number in range(6)],
        "one word": [speech(word, voice) for word in SHORT for voice in ("en-us+m3", "en-gb+f2")],
        "objection": [objection(number) for number in range(12)],
    }


def main() -> None:
    """Measure and print."""
    late_s = float(arguments(__doc__, late=3.0)["late"])
    if shutil.which("espeak-ng") is None:
        sys.stdout.write("espeak-ng is missing\n")
        return
    with load_engines() as engines:
        ways = {"transcript after 0.3 s": (engines.stt, 0.3), f"after {late_s:g} s": (engines.stt, late_s)}
        for way, (ear, transcript_s) in {**ways, "no transcript": (None, 0.0)}.items():
            rows: list[Series] = []
            misheard: list[str] = []
            for kind, each in sounds().items():
                heard = [outcome(sound, engines.voice_activity, ear, transcript_s=transcript_s) for sound in each]
                rows += _rows(kind, heard)
                misheard += [str(it.words) for it in heard if it.stopped and kind == "assent"]
            show(f"Careful interruptions: {way}", rows)
            if misheard and ear:
                sys.stdout.write(f"assent that was understood as something else: {', '.join(misheard)}\n")


def _rows(kind: str, heard: list[Outcome]) -> list[Series]:
    stopped = [it.stopped_ms for it in heard if it.stopped_ms is not None]
    rows = [
        Series(f"{kind}: to the pause", "ms", [it.paused_ms for it in heard if it.paused_ms is not None]),
        Series("  to going on", "ms", [it.went_on_ms for it in heard if it.went_on_ms is not None]),
        Series(f"  {len(stopped)} of {len(heard)} ended the reply, after", "ms", stopped),
        Series("  heard of it meanwhile", "ms", [it.audible_after_ms for it in heard if it.stopped]),
    ]
    return [row for row in rows if row.values] or [Series(f"{kind}: none of {len(heard)} was noticed", "", [0.0])]


if __name__ == "__main__":
    main()
