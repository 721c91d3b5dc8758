"""The workflow of a batch: drives its entries to their end, and waits for retries.

Postgres says what is left to do; the workflow holds nothing that it could not read again. So it
can be terminated, started twice or continued as new at any moment.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.common import Priority

from workflows import bookkeeping
from workflows.contracts import (
    BATCH_WORKFLOW,
    ERRORS,
    PROCESS_ENTRY,
    SHOWN_FAILED,
    STATE,
    BatchPlan,
    BatchProgress,
    BatchRun,
    BatchState,
    EntryFault,
    EntryRef,
    FailedAsset,
    InFlight,
    OpenEntries,
    Outcome,
    ProcessEntry,
    RetryFailed,
    SetPaused,
)
from workflows.details import details
from workflows.processing import ProcessingFailed, process

Order = Callable[[], Awaitable[object]]

PAGE = 500
"""Entries read from Postgres at a time."""


@workflow.defn(name=BATCH_WORKFLOW)
class BatchWorkflow:
    """One batch, from its submission until nothing of it can be retried any more."""

    @workflow.init
    def __init__(self, run: BatchRun) -> None:
        self._run = run
        self._in_flight: dict[int, str] = {}
        self._progress = BatchProgress(BatchState.WAITING, 0, 0, 0, 0, 0)
        self._orders: deque[Order] = deque()
        self._woken = True
        self._paused = False

    @workflow.run
    async def run(self, run: BatchRun) -> None:
        """Works through what is left; ends without errors, or when the retry window closes."""
        while True:
            try:
                await self._drive(run)
            except asyncio.CancelledError:
                # Temporal's own cancellation asks for what the signal does, and is heard once:
                # what is in process finishes, and so does the batch.
                self._orders.append(partial(bookkeeping.cancel_batch, run))
            else:
                return

    async def _drive(self, run: BatchRun) -> None:
        plan = await bookkeeping.plan_batch(run)
        self._progress = await bookkeeping.batch_progress(run)
        while True:
            await self._carry_out()
            self._woken = False
            await self._work_through(plan)
            if workflow.info().is_continue_as_new_suggested():
                await self._carry_out()
                workflow.continue_as_new(run)
            if self._has_news():
                continue
            progress = await bookkeeping.batch_progress(run)
            self._show(progress)
            if self._has_news():
                continue
            if progress.waiting + progress.processing:
                self._paused = progress.paused
                if progress.paused:
                    await workflow.wait_condition(self._has_news)
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
        self._paused = False

    @workflow.signal
    def retry_failed(self, assets: list[str] | None = None) -> None:
        """Retries the failed assets: all, or those named as `space/id`."""
        retry = RetryFailed(self._run.batch_id, assets)
        self._orders.append(partial(bookkeeping.retry_failed, retry))

    @workflow.signal
    def cancel(self) -> None:
        """Ends what has not started with the error `Cancelled`."""
        self._orders.append(partial(bookkeeping.cancel_batch, self._run))

    @workflow.signal
    def pause(self) -> None:
        """Holds back what has not started."""
        change = SetPaused(self._run.batch_id, paused=True)
        self._orders.append(partial(bookkeeping.set_paused, change))

    @workflow.signal
    def resume(self) -> None:
        """Lets a batch that was held back go on."""
        change = SetPaused(self._run.batch_id, paused=False)
        self._orders.append(partial(bookkeeping.set_paused, change))

    @workflow.query
    def progress(self) -> InFlight:
        """How far the batch is, as its workflow knows; the API has it from Postgres."""
        return InFlight(self._progress, list(self._in_flight.values()))

    def _has_news(self) -> bool:
        return self._woken or bool(self._orders)

    async def _carry_out(self) -> None:
        """Carries out the orders of signals, in the order in which they came."""
        while self._orders:
            await self._orders[0]()
            self._orders.popleft()
            self.wake()

    async def _work_through(self, plan: BatchPlan) -> None:
        """Keeps a window of entries in flight until none is left, or history has grown long."""
        after, exhausted = 0, False
        ready: deque[EntryRef] = deque()
        while True:
            if self._has_news():
                await self._carry_out()
                self._woken = False
                after, exhausted = 0, False
                ready.clear()
            draining = self._paused or workflow.info().is_continue_as_new_suggested()
            room = not draining and len(self._in_flight) < plan.window
            if room and not ready and not exhausted:
                page = await bookkeeping.open_entries(OpenEntries(self._run.batch_id, after, PAGE))
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
        if workflow.info().typed_search_attributes.get(STATE) != BatchState.PROCESSING:
            workflow.upsert_search_attributes([STATE.value_set(BatchState.PROCESSING)])
        self._in_flight[entry.ordinal] = entry.asset
        task = asyncio.create_task(self._process(plan, entry))
        task.add_done_callback(lambda _: self._in_flight.pop(entry.ordinal))

    async def _process(self, plan: BatchPlan, entry: EntryRef) -> None:
        """One entry, to its end: what its activity could not record is recorded here."""
        try:
            outcome = await process(
                PROCESS_ENTRY,
                ProcessEntry(self._run.batch_id, entry.ordinal),
                task_queue=plan.queue,
                retry=plan.retry,
                priority=Priority(fairness_key=str(plan.customer_id), fairness_weight=plan.weight),
                summary=f"{entry.asset} {entry.file}".rstrip(),
            )
        except ProcessingFailed as failed:
            outcome = Outcome(error=str(failed))
            fault = EntryFault(self._run.batch_id, entry.ordinal, str(failed))
            await bookkeeping.record_fault(fault)
        if outcome.held_back:
            self._paused = True
        else:
            self._note(entry, outcome)

    def _note(self, entry: EntryRef, outcome: Outcome) -> None:
        """Counts an outcome until the counts are read from Postgres again."""
        known = self._progress
        failed = [FailedAsset(entry.asset, outcome.error)] if outcome.error else []
        self._progress = replace(
            known,
            state=BatchState.PROCESSING,
            waiting=max(0, known.count - known.completed - 1 - len(self._in_flight)),
            processing=len(self._in_flight),
            completed=min(known.count, known.completed + 1),
            errors=known.errors + len(failed),
            failed=known.failed + failed[: SHOWN_FAILED - len(known.failed)],
        )
        workflow.set_current_details(details(self._progress))

    def _show(self, progress: BatchProgress) -> None:
        self._progress = progress
        workflow.set_current_details(details(progress))
        info = workflow.info().typed_search_attributes
        if (info.get(STATE), info.get(ERRORS)) != (progress.state, progress.errors):
            workflow.upsert_search_attributes(
                [STATE.value_set(progress.state), ERRORS.value_set(progress.errors)]
            )
