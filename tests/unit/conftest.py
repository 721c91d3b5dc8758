"""What tests of fetching originals share."""

import ssl
from pathlib import Path

import pytest


@pytest.fixture
def certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificates: every client would spend 45 ms on loading them."""
    monkeypatch.setattr(
        ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "original"
