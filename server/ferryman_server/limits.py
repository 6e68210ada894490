"""Everything that the server refuses by size; `GetServerInfo` publishes it."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may be, and how much the server takes at once."""

    max_texts: int = 1024
    """Texts in one request."""
    max_text_characters: int = 1_000_000
    """Code points of one text."""
    max_request_bytes: int = 16 * MEBIBYTE
    max_response_bytes: int = 64 * MEBIBYTE
    max_beam_size: int = 16
    max_num_hypotheses: int = 16
    max_queued_tokens: int = 1 << 18
    """Source tokens that wait, of all requests together."""
    max_concurrent_calls: int = 1024
    max_batch_items: int = 256
    """Items of one batch that are worked on at a time."""
    max_attention_weights: int = 4 * MEBIBYTE
    """Weights in one matrix of attention, of 4 bytes each."""
    max_glossary_entries: int = 1024
    max_protected_phrases: int = 1024
    """Phrases and patterns of what is copied as it is."""


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """When the server lets go of a connection that nobody uses.

    None of these is on in gRPC by itself: a client that opens sockets and says nothing would take
    all descriptors of the process.
    """

    handshake_seconds: float = 10.0
    """To send a complete HTTP/2 preface."""
    idle_seconds: float = 300.0
    """Without any call."""
    max_connection_age_seconds: float = 0.0
    """A connection is closed in good order after that; 0: never."""
    keepalive_seconds: float = 60.0
    """Without a byte, before the server pings; a peer that has vanished costs its calls so long."""
    keepalive_timeout_seconds: float = 20.0
    """For the answer to the ping."""
    min_client_ping_seconds: float = 10.0
    """Clients that ping more often than this are sent away."""
    max_streams: int = 1024
    """Calls at the same time on one connection."""
