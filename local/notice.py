"""What the engine tells the person at the terminal: one line each, on stderr."""

import sys
from contextlib import suppress


def say(message: str) -> None:
    """Writes the line at once, if the terminal is still there."""
    with suppress(OSError):
        print(f"iiifq: {message}", file=sys.stderr, flush=True)
