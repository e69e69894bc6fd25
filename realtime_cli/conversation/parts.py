"""The parts of a conversation, made once and known to each other."""

from __future__ import annotations

from realtime_cli.conversation.call_playback import CallPlayback
from realtime_cli.conversation.continuity import Continuity
from realtime_cli.conversation.heard_replies import HeardReplies
from realtime_cli.conversation.history import History
from realtime_cli.conversation.links import Links
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.out_of_band import OutOfBand
from realtime_cli.conversation.request_rate import RequestRate
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.timeouts import Timeouts
from realtime_cli.conversation.tool_calls import ToolCalls
from realtime_cli.conversation.turns import Turns
from realtime_cli.conversation.usage import UsageMeter


class Parts:
    """Each part owns its own state; whoever decides across several of them is given this.

    What belongs to one connection, and is begun anew with another: responses, spoken turns, calls' ids, side channels
    (their ``reset``) and the session's setup. What belongs to the conversation: history, sums, what waits to be sent
    or asked for, runs of functions.
    """

    def __init__(self, options: ConversationOptions) -> None:
        self.options = options
        self.history = History()
        self.meter = UsageMeter(options.prices, options.transcription_model, options.budget_usd)
        self.rate = RequestRate()
        self.heard_replies = HeardReplies(options, self.history)
        self.call_playback = CallPlayback(self.history)
        self.responses = Responses(options, self.history)
        self.turns = Turns(options, self.history, self.responses)
        self.calls = ToolCalls(options, self.responses)
        self.out_of_band = OutOfBand(options.side_channels, self.responses, self.meter, self.rate)
        self.setup = SessionSetup(options.session, options.session_otherwise, options.left_out, options.own_settings)
        self.timeouts = Timeouts(options, self.turns, self.responses, self.calls, self.out_of_band)
        self.continuity = Continuity(
            options, self.history, self.turns, self.responses, self.calls, self.out_of_band, self.setup
        )

    @property
    def links(self) -> Links:
        """Which connections there are."""
        return self.continuity.links

    @property
    def session_id(self) -> str:
        """Id of the session on the current connection; empty until the server opened one."""
        return self.links.link.session_id
