"""TLS: the server's certificate, whose clients it trusts, and a new one without a restart."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from ferryman_server.config_sections import ServerConfig
from ferryman_server.start_errors import ConfigError
from ferryman_server.watched_files import WatchedFiles


def server_credentials(config: ServerConfig) -> grpc.ServerCredentials | None:
    """Return what the main port speaks TLS with; None where it speaks plain text.

    Every connection gets the certificate that is in the files when it is made.

    Raises:
        ConfigError: A file cannot be read, or the key is not that of the certificate.
    """
    if config.tls_certificate is None or config.tls_key is None:
        return None
    certificate, key = Path(config.tls_certificate), Path(config.tls_key)
    authority = Path(config.tls_client_ca) if config.tls_client_ca else None

    def read() -> grpc.ServerCertificateConfiguration:
        _check(certificate, key, authority)
        return grpc.ssl_server_certificate_configuration(
            [(key.read_bytes(), certificate.read_bytes())],
            root_certificates=authority.read_bytes() if authority else None,
        )

    paths = [certificate, key, *([authority] if authority else [])]
    try:
        files = WatchedFiles(paths, read)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--tls-certificate, --tls-key, --tls-client-ca: {error}") from error
    return grpc.dynamic_ssl_server_credentials(
        files.value(), files.value, require_client_authentication=authority is not None
    )


def _check(certificate: Path, key: Path, authority: Path | None) -> None:
    """Try the files in a context of Python's own; gRPC would only fail every handshake.

    Raises:
        OSError: A file cannot be read.
        ValueError: It is not what it should be, or the two do not belong together.
    """
    for path in filter(None, (certificate, key, authority)):
        path.read_bytes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key would make OpenSSL ask at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise ValueError(
            f"{certificate} and {key} are no certificate and its key in PEM ({error.reason})"
        ) from error
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError as error:
            raise ValueError(f"{authority} has no certificates in PEM ({error.reason})") from error
