"""Seals what is kept for later use and never shown, such as credentials of origins."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class NoKey(Exception):
    """There is no key to seal with."""


class Unreadable(Exception):
    """Sealed with a key that is not known any more, or not a seal at all."""


class Sealer:
    """Seals with the first of its keys, and opens with any of them.

    Raises:
        ValueError: a key is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = MultiFernet([Fernet(key) for key in keys]) if keys else None

    def seal(self, text: str) -> bytes:
        """The text, encrypted and signed. Raises NoKey."""
        if self._keys is None:
            raise NoKey
        return self._keys.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """The text again. Raises Unreadable."""
        if self._keys is None:
            raise Unreadable
        try:
            return self._keys.decrypt(sealed).decode()
        except InvalidToken as error:
            raise Unreadable from error


def new_key() -> str:
    """A key, made at random."""
    return Fernet.generate_key().decode()
