"""How far the audio of a transcription has come: what is cut, sent and heard of it."""

from __future__ import annotations

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import Effect, Send
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.talk_key import MIN_COMMIT_MS
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.segments import Segments
from realtime_cli.protocol.client_events import InputAudioBufferCommit

MARKER = "evt_marker"
"""Id of a second ``session.update``, which repeats the first when all audio is sent: servers answer in order, so its
answer says that the audio before it has been heard."""


class SentAudio:
    """See the module. Times of the audio are in ms."""

    def __init__(self, options: TranscriptionOptions, segments: Segments, setup: SessionSetup) -> None:
        self._options = options
        self._segments = segments
        self._setup = setup
        self.all_sent = self.all_heard = False
        self._cut_ms = 0

    def cut(self, fact: f.Cut) -> None:
        """This side found a segment, and commits it."""
        segments = self._segments
        self._cut_ms = segments.offset_ms + fact.end_ms
        if fact.has_speech:
            segments.commits.append(f.Cut(segments.offset_ms + fact.start_ms, self._cut_ms, has_speech=True))

    def mic_resumed(self, fact: f.MicResumed) -> None:
        """Another connection hears the microphone from here on."""
        self._segments.offset_ms = fact.from_ms
        self._cut_ms = max(self._cut_ms, fact.from_ms)

    def sent_all(self) -> list[Effect]:
        """No more audio comes."""
        self.all_sent = True
        if not self._options.server_cuts:
            # Whatever was said is committed already, and owed.
            self.all_heard = True
            return []
        return [self._setup.update(MARKER)]

    def mic_closed(self, fact: f.MicClosed) -> list[Effect]:
        """The microphone delivers no more: what was said since the last cut, or is being said, is committed."""
        self.all_sent = self.all_heard = True
        if self._options.server_cuts:
            return self.commit(None) if self._segments.speaking else []
        long_enough = fact.spoken_ms - self._cut_ms >= MIN_COMMIT_MS
        return self.commit(f.Cut(self._cut_ms, fact.spoken_ms, True)) if long_enough and fact.has_speech else []

    def commit(self, cut: f.Cut | None) -> list[Effect]:
        """Make a segment of what was sent; None: this side knows no times of it."""
        self._segments.commits.append(cut)
        return [Send(InputAudioBufferCommit())]
