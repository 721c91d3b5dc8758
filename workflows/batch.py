"""The workflow of a batch: drives its entries to their end, and waits for retries.

Postgres says what is left to do; the workflow holds nothing that it could not read again. So it
can be terminated, started twice or continued as new at any moment.
"""

import asyncio
from collections import deque
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import bookkeeping
from workflows.contracts import (
    BATCH_WORKFLOW,
    ERRORS,
    HEARTBEAT_TIMEOUT,
    PROCESS_ENTRY,
    STATE,
    BatchPlan,
    BatchProgress,
    BatchRun,
    EntryFault,
    EntryRef,
    OpenEntries,
    Outcome,
    ProcessEntry,
    RetryFailed,
)
from workflows.retries import (
    CLAIM_WAIT,
    LONGEST,
    LONGEST_CLAIM_WAIT,
    asset_retries,
    explain,
    is_claimed,
)

PAGE = 500
"""Entries read from Postgres at a time."""


@workflow.defn(name=BATCH_WORKFLOW)
class BatchWorkflow:
    """One batch, from its submission until nothing of it can be retried any more."""

    @workflow.init
    def __init__(self, run: BatchRun) -> None:
        self._batch_id = run.batch_id
        self._in_flight: dict[int, asyncio.Task[None]] = {}
        self._retries: deque[RetryFailed] = deque()
        self._woken = True

    @workflow.run
    async def run(self, run: BatchRun) -> None:
        """Works through what is left; ends without errors, or when the retry window closes."""
        plan = await bookkeeping.plan_batch(run)
        while True:
            await self._take_up_retries()
            self._woken = False
            await self._work_through(plan)
            if workflow.info().is_continue_as_new_suggested():
                await self._take_up_retries()
                workflow.continue_as_new(run)
            if self._has_news():
                continue
            progress = await bookkeeping.batch_progress(run)
            self._show(progress)
            if self._has_news() or progress.waiting + progress.processing:
                continue
            if not progress.errors:
                return
            try:
                await workflow.wait_condition(
                    self._has_news, timeout=timedelta(seconds=plan.retry_window_s)
                )
            except TimeoutError:
                return

    @workflow.signal
    def wake(self) -> None:
        """Entries wait in Postgres."""
        self._woken = True

    @workflow.signal
    def retry_failed(self, assets: list[str] | None = None) -> None:
        """Retries the failed assets: all, or those named as `space/id`."""
        self._retries.append(RetryFailed(self._batch_id, assets))

    def _has_news(self) -> bool:
        return self._woken or bool(self._retries)

    async def _take_up_retries(self) -> None:
        while self._retries:
            await bookkeeping.retry_failed(self._retries[0])
            self._retries.popleft()
            self._woken = True

    async def _work_through(self, plan: BatchPlan) -> None:
        """Keeps a window of entries in flight until none is left, or history has grown long."""
        after, exhausted = 0, False
        ready: deque[EntryRef] = deque()
        while True:
            if self._has_news():
                await self._take_up_retries()
                self._woken = False
                after, exhausted = 0, False
                ready.clear()
            draining = workflow.info().is_continue_as_new_suggested()
            room = not draining and len(self._in_flight) < plan.window
            if room and not ready and not exhausted:
                page = await bookkeeping.open_entries(OpenEntries(self._batch_id, after, PAGE))
                exhausted = not page.entries
                after = page.entries[-1].ordinal if page.entries else after
                ready.extend(e for e in page.entries if e.ordinal not in self._in_flight)
                continue
            while room and ready:
                self._start(plan, ready.popleft())
                room = len(self._in_flight) < plan.window
            if not self._in_flight:
                return
            if draining or exhausted or not room:
                in_flight = len(self._in_flight)
                await workflow.wait_condition(
                    lambda: len(self._in_flight) < in_flight or self._has_news()  # noqa: B023
                )

    def _start(self, plan: BatchPlan, entry: EntryRef) -> None:
        task = asyncio.create_task(self._process(plan, entry))
        self._in_flight[entry.ordinal] = task
        task.add_done_callback(lambda _: self._in_flight.pop(entry.ordinal))

    async def _process(self, plan: BatchPlan, entry: EntryRef) -> None:
        """One entry, to its end: what its activity could not record is recorded here."""
        wait = CLAIM_WAIT
        while True:
            try:
                await workflow.execute_activity(
                    PROCESS_ENTRY,
                    ProcessEntry(self._batch_id, entry.ordinal),
                    result_type=Outcome,
                    task_queue=plan.queue,
                    heartbeat_timeout=HEARTBEAT_TIMEOUT,
                    start_to_close_timeout=LONGEST,
                    retry_policy=asset_retries(plan.retry),
                    priority=Priority(
                        fairness_key=str(plan.customer_id), fairness_weight=plan.weight
                    ),
                    summary=entry.asset,
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                if is_claimed(error):
                    await workflow.sleep(wait)
                    wait = min(2 * wait, LONGEST_CLAIM_WAIT)
                    continue
                fault = EntryFault(self._batch_id, entry.ordinal, explain(error))
                await bookkeeping.record_fault(fault)
            return

    def _show(self, progress: BatchProgress) -> None:
        info = workflow.info().typed_search_attributes
        if (info.get(STATE), info.get(ERRORS)) != (progress.state, progress.errors):
            workflow.upsert_search_attributes(
                [STATE.value_set(progress.state), ERRORS.value_set(progress.errors)]
            )
