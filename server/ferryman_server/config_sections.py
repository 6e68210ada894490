"""What can be set about a server: one class for each table of its configuration file.

The docstring under a field is its text in ``ferryman serve --help``, the table its group there.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, DirectoryPath, Field

from ferryman_server.cores import usable_cores
from ferryman_server.limits import MEBIBYTE, ConnectionLimits, Limits
from ferryman_server.logs import LogFormat


def _host_and_port(address: str) -> str:
    parts = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):(\d{1,5})", address)
    if parts is None or int(parts[2]) > 65535:
        raise ValueError("must be HOST:PORT, as 127.0.0.1:50051")
    return address


def _listed(value: object) -> object:
    """Return several bundles of one text, as a variable has them: separated like PATH."""
    return tuple(filter(None, value.split(os.pathsep))) if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_host_and_port)]
Endpoint = Annotated[str, Field(pattern=r"https?://[^/]+(:\d+)?")]
Count = Annotated[int, Field(ge=1, le=4096)]
Bytes = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
SecondsOrNone = Annotated[float, Field(ge=0, le=86400)]


class ConfigSection(BaseModel):
    """One table of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    table: ClassVar[str]
    """Its name in the file."""
    title: ClassVar[str]
    """Its heading in the help."""


class ModelSection(ConfigSection):
    """What is served, and how a new bundle is looked at first."""

    table = "model"
    title = "Model"

    bundle: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Directories of bundles, packed ones, or names of installed models; the first is the default
    model. Without any: the model that is installed"""
    variant: str | None = None
    """Variant of the bundle to run. Without it: the fastest for the device"""
    trial_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """So long may a bundle that was never loaded here take in a process of its own; 0: no trial"""
    max_bundle_bytes: Bytes = 8 << 30
    """The most that the files of a bundle may have together"""


class ListenSection(ConfigSection):
    """Where the server is reached, and when it lets go of a connection."""

    table = "listen"
    title = "Listening"

    address: Address = "127.0.0.1:50051"
    """Where to listen; port 0 takes a free one"""
    handshake_seconds: Seconds = ConnectionLimits.handshake_seconds
    """For a new connection to complete its handshake"""
    idle_seconds: Seconds = ConnectionLimits.idle_seconds
    """A connection without any call is closed after that"""
    max_connection_age_seconds: SecondsOrNone = 0.0
    """A connection is closed in good order after that, so that clients spread anew; 0: never"""
    keepalive_seconds: Seconds = ConnectionLimits.keepalive_seconds
    """A connection is asked for a sign of life after so much silence"""
    keepalive_timeout_seconds: Seconds = ConnectionLimits.keepalive_timeout_seconds
    """So long may the sign of life take"""
    min_client_ping_seconds: Seconds = ConnectionLimits.min_client_ping_seconds
    """Clients that ping more often than this are sent away"""
    max_streams: Annotated[int, Field(ge=1)] = ConnectionLimits.max_streams
    """Calls at the same time on one connection; more wait at the client"""


class EngineSection(ConfigSection):
    """What computes."""

    table = "engine"
    title = "Engine"

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What to compute on; cuda that is not there is a failure to start"""
    device_state_bytes: Annotated[int, Field(ge=1 << 20)] = 4 << 30
    """Memory of a GPU for decoder state; what runs at a time is cut to it"""
    workers: Count = Field(default_factory=usable_cores)
    """Engine workers, each with a running batch. By itself: the usable cores"""
    threads: Count = 1
    """Threads that each worker computes with"""
    max_rows: Count = 64
    """Hypotheses in the running batch of each worker"""
    max_step_seconds: Seconds = 120.0
    """A step that takes longer is stuck: the server says NOT_SERVING and ends with 1"""


class LimitsSection(ConfigSection):
    """What one request may be, and how much the server takes at once."""

    table = "limits"
    title = "Limits"

    max_queued_tokens: Annotated[int, Field(ge=1024)] = Limits.max_queued_tokens
    """Source tokens that may wait; more are refused"""
    max_wait_seconds: Seconds = 60.0
    """A sentence whose turn would come later than that is refused at once, with the wait"""
    ageing_seconds: Seconds = 10.0
    """After waiting so long a sentence rises by one priority"""
    max_concurrent_calls: Annotated[int, Field(ge=1)] = Limits.max_concurrent_calls
    """Calls at the same time; more are refused"""
    max_texts: Annotated[int, Field(ge=1)] = Limits.max_texts
    """Texts in one request"""
    max_text_characters: Annotated[int, Field(ge=1)] = Limits.max_text_characters
    """Characters of one text"""
    max_request_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = Limits.max_request_bytes
    """Bytes of one request message"""
    max_response_bytes: Annotated[int, Field(ge=MEBIBYTE, le=1 << 30)] = Limits.max_response_bytes
    """Bytes of one response message"""
    max_beam_size: Annotated[int, Field(ge=1, le=64)] = Limits.max_beam_size
    """Beam size of one request; never more than the rows of a batch"""


class SecuritySection(ConfigSection):
    """Who may call, and what goes over the wire in the clear."""

    table = "security"
    title = "Security"

    tls_certificate: str | None = None
    """The server's certificate chain, PEM. Without it: plain text"""
    tls_key: str | None = None
    """Its private key, PEM, without a password"""
    tls_client_ca: str | None = None
    """Certificates, PEM, of who signs the certificates of clients; each client then needs one"""
    keys_file: str | None = None
    """File of API keys, as ferryman keys makes it; each call then needs a key"""
    probe_address: Address | Literal["none"] = "127.0.0.1:50052"
    """Where health is told in plain text and without a key, when the main port speaks TLS or asks
    for keys; or none. Where it is not set and the port is taken: a free one"""


class MetricsSection(ConfigSection):
    """Where the figures of the server are."""

    table = "metrics"
    title = "Metrics and traces"

    metrics_address: Address | Literal["none"] = "127.0.0.1:9464"
    """Where Prometheus finds the metrics, or none. Where it is not set and the port is taken: a
    free one"""
    traces_endpoint: Endpoint | None = None
    """OTLP collector that gets a trace of each call, as http://127.0.0.1:4317. Without it: no
    traces. Needs the extra tracing"""


class AdminSection(ConfigSection):
    """Who may change which models there are."""

    table = "admin"
    title = "Administration"

    models_root: DirectoryPath | None = None
    """Folder of the bundles that the admin service may load. Without it: it loads none"""
    admin_address: Address | Literal["none"] | None = None
    """Where the admin service listens, or none. Without it: 127.0.0.1:50053 where there is a
    models_root, else nowhere"""


class OperationSection(ConfigSection):
    """How the server is run."""

    table = "operation"
    title = "Operation"

    drain_seconds: SecondsOrNone = 30.0
    """How long calls may take to finish after SIGTERM"""
    log_format: LogFormat = LogFormat.TEXT
    """How log lines are written: for people, or one JSON object a line"""
    log_level: Literal["info", "warning", "error"] = "info"
    """The least that is written: info has a line for each call, warning only what asks for
    attention"""


SECTIONS: tuple[type[ConfigSection], ...] = (
    ModelSection,
    ListenSection,
    EngineSection,
    LimitsSection,
    SecuritySection,
    MetricsSection,
    AdminSection,
    OperationSection,
)
"""In the order of the help."""


class ServerConfig(
    OperationSection,
    AdminSection,
    MetricsSection,
    SecuritySection,
    LimitsSection,
    EngineSection,
    ListenSection,
    ModelSection,
):
    """All that can be set about a server, by the names of the flags: `SECTIONS` together."""

    table = ""
    title = ""

    @property
    def limits(self) -> Limits:
        """What one request may be; a beam also has to fit into a batch."""
        names = LimitsSection.model_fields.keys() - {
            "max_beam_size",
            "max_wait_seconds",
            "ageing_seconds",
        }
        widest = min(self.max_beam_size, self.max_rows)
        return Limits(
            max_beam_size=widest,
            max_num_hypotheses=widest,
            **{name: getattr(self, name) for name in names},
        )

    @property
    def connections(self) -> ConnectionLimits:
        """When a connection is let go."""
        names = ListenSection.model_fields.keys() - {"address"}
        return ConnectionLimits(**{name: getattr(self, name) for name in names})

    @property
    def admin_address_in_use(self) -> str | None:
        """Where the admin service listens; None for nowhere."""
        if self.admin_address is None:
            return None if self.models_root is None else "127.0.0.1:50053"
        return None if self.admin_address == "none" else self.admin_address
