"""What the engine tells the person at the terminal: one line each, on stderr."""

import sys


def say(message: str) -> None:
    """Writes the line at once."""
    print(f"iiifq: {message}", file=sys.stderr, flush=True)
