"""A change of workflow code must not break batches that run: recorded histories are replayed."""

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from workflows import bookkeeping
from workflows.asset import AssetWorkflow
from workflows.batch import BatchWorkflow
from workflows.contracts import BATCH_WORKFLOW, BatchRun

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, json.loads(path.read_text(encoding="utf-8")))


def test_there_are_histories() -> None:
    assert {path.stem for path in HISTORIES} >= {"plain", "asset", "retried", "steered", "deferred"}


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_recorded_history_is_replayed(path: Path) -> None:
    replayer = Replayer(
        workflows=[BatchWorkflow, AssetWorkflow], workflow_runner=UnsandboxedWorkflowRunner()
    )
    await replayer.replay_workflow(history(path))


@workflow.defn(name=BATCH_WORKFLOW)
class Changed:
    """A batch's workflow that does something else first."""

    @workflow.run
    async def run(self, run: BatchRun) -> None:
        await bookkeeping.batch_progress(run)

    @workflow.signal
    def wake(self) -> None:
        return


async def test_a_change_that_breaks_running_batches_fails() -> None:
    (plain,) = [path for path in HISTORIES if path.stem == "plain"]
    replayer = Replayer(workflows=[Changed], workflow_runner=UnsandboxedWorkflowRunner())
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history(plain))
