"""Undoes the Content-Encoding that some origins send though asked not to, never much at a time."""

import zlib
from collections.abc import Iterator
from typing import Protocol

PIECE_BYTES = 1024 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Decoder(Protocol):
    """Decodes a body that comes in chunks."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk holds, in pieces of about PIECE_BYTES at most. Raises zlib.error."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the body may end here."""
        ...


def decoder(encoding: str) -> Decoder | None:
    """For the value of a Content-Encoding header; None: unknown."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Identity()
    return _Zlib() if name in ("gzip", "x-gzip", "deflate") else None


class _Identity:
    whole = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class _Zlib:
    """gzip, of one member or several, and zlib."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        more = True
        while more:
            if self._stream.eof:
                self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
            piece = self._stream.decompress(chunk, PIECE_BYTES)
            yield piece
            chunk = self._stream.unused_data or self._stream.unconsumed_tail
            # A full piece may have left some behind, although all of the chunk is read.
            more = bool(chunk) or (len(piece) == PIECE_BYTES and not self._stream.eof)

    @property
    def whole(self) -> bool:
        return self._stream.eof
