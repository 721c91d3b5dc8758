"""The URLs of originals: checked, and spelled as an HTTP request needs them.

Librarians write origins as people read them, with spaces and letters of every script, so these are
encoded as a browser does it (WHATWG URL Standard, section 4.4; RFC 3987). What is encoded already
stays byte for byte as it is: it may be signed.
"""

import re
import string
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import httpcore

from activities.faults import AssetFault

LONGEST = 8000
"""Characters of a URL, encoded."""

LONGEST_HOST = 253

_KEPT = "".join(sorted(set(string.punctuation) - set('"#<>?\\^`{}')))
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[a-z0-9._-]+")


@dataclass(frozen=True)
class OriginUrl:
    """An http or https URL in ASCII; `host` is a name, an IPv4 address, or IPv6 unbracketed."""

    scheme: str
    host: str
    port: int | None
    target: str

    @classmethod
    def parse(cls, url: str) -> "OriginUrl":
        """Reads an absolute URL. Raises AssetFault with what is the matter with it."""
        unusable = AssetFault("The origin is not a URL that can be fetched")
        if len(url) > LONGEST or _CONTROL.search(url):
            raise unusable
        try:
            parts = urlsplit(url)
            port = parts.port
            target = _encoded(parts.path, "") or "/"
            if parts.query:
                target += "?" + _encoded(parts.query, "?^`{}")
        except ValueError as error:  # UnicodeError is one
            raise unusable from error
        if parts.scheme not in ("http", "https"):
            raise AssetFault("The origin must be an http or https URL")
        if parts.username or parts.password:
            raise AssetFault("The origin's URL must not hold credentials")
        try:
            host = _host(parts.hostname or "")
        except ValueError as error:
            raise unusable from error
        if port == 0 or len(target) > LONGEST:
            raise unusable
        return cls(parts.scheme, host, port, target)

    def join(self, location: bytes) -> "OriginUrl":
        """The URL that a Location header in an answer to this one names. Raises AssetFault."""
        try:
            there = urljoin(f"{self.scheme}://{self.netloc}{self.target}", _text(location))
        except ValueError as error:
            raise AssetFault("The origin redirects to what is not a URL") from error
        return self.parse(there)

    @property
    def netloc(self) -> str:
        """Host and port as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def place(self) -> tuple[str, str, int | None]:
        """Scheme, host and port: what credentials are for."""
        return self.scheme, self.host, self.port

    def for_request(self) -> httpcore.URL:
        """The same, for httpcore; from its parts, as httpcore's own parser drops `;parameters`."""
        return httpcore.URL(scheme=self.scheme, host=self.host, port=self.port, target=self.target)


def _host(host: str) -> str:
    """Lower case, by IDNA. Raises ValueError."""
    if ":" in host and "%" not in host:
        return str(IPv6Address(host))
    name = host.encode("idna").decode().lower()
    if len(name) > LONGEST_HOST or not _HOST.fullmatch(name):
        raise ValueError(host)
    return name


def _encoded(text: str, also_kept: str) -> str:
    """Percent-encoded as UTF-8 where it must be. Raises UnicodeError on lone surrogates."""
    return quote(_LONE_PERCENT.sub("%25", text), safe=_KEPT + also_kept)


def _text(header: bytes) -> str:
    """What its bytes mean: UTF-8, as nearly everyone sends, else Latin-1 (RFC 9110)."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")
