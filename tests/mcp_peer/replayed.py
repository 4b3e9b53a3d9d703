"""What was said on a stream, kept for whoever comes back for the rest of it."""

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp_types import JSONRPCMessage


class Replayed(EventStore):
    """Everything that was said, in order. An event is named by its place."""

    def __init__(self) -> None:
        self.said: list[tuple[StreamId, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        self.said.append((stream_id, message))
        return str(len(self.said))

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        last = int(last_event_id)
        if not 1 <= last <= len(self.said):
            return None
        stream, _ = self.said[last - 1]
        for place, (each, message) in enumerate(self.said[last:], start=last + 1):
            if each == stream and message is not None:
                await send_callback(EventMessage(message, str(place)))
        return stream
