"""A small Debian mirror on the loopback interface, with packages made here."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ferryman_training.zstandard import zstd

COMPRESSIONS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstd.compress}


def deb(files: Mapping[str, bytes | str], *, compression: str = ".xz") -> bytes:
    """Return a package with such files."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("./usr/share/doc/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(b"odd"),
        f"data.tar{compression}": COMPRESSIONS[compression](tar.getvalue()),
    }
    ar = b"!<arch>\n"
    for name, data in parts.items():
        ar += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
        ar += b"\n" * (len(data) % 2)
    return ar


class MirrorServer:
    """A mirror: what it serves, what it was asked, and how it misbehaves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[tuple[str, str | None]] = []
        """Path and range of every request."""
        self.cut: dict[str, int] = {}
        """Bytes after which the answer for a path ends, once."""
        self.ranges = True
        self.failures: dict[str, list[int]] = {}
        """Statuses that the next requests for a path are answered with."""
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path, asked = handler.path, handler.headers.get("Range")
        self.requests.append((path, asked))
        if self.failures.get(path):
            handler.send_error(self.failures[path].pop(0))
            return
        file = self.root / path.lstrip("/")
        if not file.is_file():
            handler.send_error(404)
            return
        content, status = file.read_bytes(), 200
        if asked and self.ranges:
            content, status = content[int(asked.removeprefix("bytes=").rstrip("-")) :], 206
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: self.cut.pop(path, len(content))])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def publish(
        self,
        packages: Mapping[str, bytes],
        indexes: Mapping[str, str] | None = None,
        *,
        suite: str = "bookworm",
    ) -> None:
        """Serve packages, by name, and other indexes, by path."""
        stanzas = []
        for name, content in packages.items():
            path = f"pool/main/{name[0]}/{name}/{name}_1.0_all.deb"
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(content)
            stanzas.append(
                f"Package: {name}\nVersion: 1.0\nFilename: {path}\nSize: {len(content)}\n"
                f"SHA256: {hashlib.sha256(content).hexdigest()}\nDescription: x\n y\n"
            )
        release = "Origin: test\nMD5Sum:\n 00 1 nothing\nSHA256:\n"
        texts = {"main/binary-amd64/Packages": "\n".join(stanzas), **(indexes or {})}
        for path, text in texts.items():
            content = lzma.compress(text.encode())
            file = self.root / "dists" / suite / f"{path}.xz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            release += f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}.xz\n"
        (self.root / "dists" / suite / "Release").write_text(release, "utf-8")


@pytest.fixture
def mirror(tmp_path, monkeypatch) -> Iterator[MirrorServer]:
    """A mirror without packages; proxies of the environment do not count."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "mirror"
    root.mkdir()
    server = MirrorServer(root)
    yield server
    server.close()
