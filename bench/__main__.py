"""`make bench`: prints the table of ratios, and writes it to bench/results.json."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from bench import scans

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Runs every benchmark."""
    figures = [
        scans.run(
            int(os.environ.get("IIIFQ_BENCH_COUNT", "100")),
            int(os.environ.get("IIIFQ_BENCH_ROUNDS", "3")),
        )
    ]
    print("| what | ours | baseline | ratio | at least |\n|---|---|---|---|---|")
    for figure in figures:
        print(
            f"| {figure.name} | {figure.ours:.2f}/s | {figure.baseline:.2f}/s "
            f"| {figure.ratio:.2f} | {figure.at_least} |"
        )
    RESULTS.write_text(
        json.dumps([{**asdict(figure), "ratio": figure.ratio} for figure in figures], indent=2)
    )


if __name__ == "__main__":
    main()
