"""`make bench`: prints the table of ratios, and writes it to bench/results.json."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from bench import backlog, post, processing, scans, views, waiting

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Runs every benchmark."""
    count = int(os.environ.get("IIIFQ_BENCH_COUNT", "100"))
    rounds = int(os.environ.get("IIIFQ_BENCH_ROUNDS", "3"))
    figures = [
        scans.run(count, rounds),
        *processing.run(count, rounds),
        *backlog.run(backlog=10_000),
        *waiting.run(1000),
        post.run(1000, rounds=11),
        *views.run(batches=10_000, rounds=200),
    ]
    print("| what | ours | baseline | ratio | bound |\n|---|---|---|---|---|")
    print("\n".join(figure.row for figure in figures))
    RESULTS.write_text(
        json.dumps([{**asdict(figure), "ratio": figure.ratio} for figure in figures], indent=2)
    )


if __name__ == "__main__":
    main()
