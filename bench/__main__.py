"""`make bench`: prints the table of ratios, and writes it to bench/results.json."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from bench import post, scans, views
from bench.figure import Figure

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Runs every benchmark."""
    count = int(os.environ.get("IIIFQ_BENCH_COUNT", "100"))
    rounds = int(os.environ.get("IIIFQ_BENCH_ROUNDS", "3"))
    throughput = scans.run(count, rounds)
    figures = [
        Figure(
            throughput.name,
            throughput.ours,
            throughput.baseline,
            "/s",
            throughput.at_least,
            "at least",
        ),
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
