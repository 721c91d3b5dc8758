"""What the Web UI shows of a batch: Markdown with its counts, and what can be done about it."""

from workflows.contracts import BatchProgress


def details(progress: BatchProgress) -> str:
    """The current details of a batch's workflow."""
    lines = [
        f"**{progress.completed} of {progress.count}** ended, **{progress.errors}** with an error; "
        f"{progress.processing} in process, {progress.waiting} waiting.",
    ]
    if progress.paused:
        lines.append("Held back: the signal `resume` lets the batch go on, unless its queue is.")
    if progress.failed:
        lines += ["", "| asset | error |", "|---|---|"]
        lines += [
            f"| `{failed.asset}` | {failed.error.replace('|', chr(92) + '|')} |"
            for failed in progress.failed
        ]
        if progress.errors > len(progress.failed):
            lines.append(f"\nand {progress.errors - len(progress.failed)} more.")
        first = progress.failed[0].asset
        lines.append(
            f'\nThe signal `retry_failed` retries them: without input all, or `["{first}"]`.'
        )
    return "\n".join(lines)
