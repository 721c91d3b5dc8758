"""The workflow of a batch: drives its entries to their end, and waits for retries.

Postgres says what is left to do; the workflow holds nothing that it could not read again. So it
can be terminated, started twice or continued as new at any moment.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
    ClosedHost,
    EntryFault,
    EntryRef,
    FailedAsset,
    InFlight,
    OpenEntries,
    Outcome,
    ProcessEntry,
    Progress,
    RetryFailed,
    SetPaused,
)
from workflows.details import details
from workflows.hosts import Hosts
from workflows.processing import ProcessingFailed, process
from workflows.retries import hand_back_wait

Order = Callable[[], Awaitable[object]]

PAGE = 500
"""Entries read from Postgres at a time."""

FAIR_TO_WORK = "fair-to-work"
"""Patch: signals that come without end do not keep entries from being begun."""

SHOWN_IN_FLIGHT = 100
"""Assets that the query `progress` names: in process, or waiting for another try."""


@workflow.defn(name=BATCH_WORKFLOW)
class BatchWorkflow:
    """One batch, from its submission until nothing of it can be retried any more."""

    @workflow.init
    def __init__(self, run: BatchRun) -> None:
        self._run = run
        self._in_flight: dict[int, InFlight] = {}
        self._deferred: dict[int, InFlight] = {}
        self._not_before: dict[int, datetime] = {}
        self._hand_backs: dict[int, int] = {}
        self._ready: deque[EntryRef] = deque()
        self._unseen: set[int] = set()
        self._hosts = Hosts(connections=0, attempts=1)
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
        self._hosts.connections, self._hosts.attempts = plan.host_connections, plan.retry.attempts
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
    def progress(self) -> Progress:
        """How far the batch is, as its workflow knows, and what its assets in flight wait for."""
        now = workflow.now()
        counts = self._progress
        shown = [*self._in_flight.values(), *self._between_tries()]
        return Progress(
            state=counts.state,
            count=counts.count,
            waiting=counts.waiting,
            processing=counts.processing,
            completed=counts.completed,
            errors=counts.errors,
            in_flight=shown[:SHOWN_IN_FLIGHT],
            closed_hosts=[
                ClosedHost(host, _text(until)) for host, until in self._hosts.closed(now).items()
            ],
        )

    def _between_tries(self) -> list[InFlight]:
        return [self._deferred[e.ordinal] for e in self._ready if e.ordinal in self._deferred]

    def _has_news(self) -> bool:
        return self._woken or bool(self._orders)

    async def _carry_out(self) -> None:
        """Carries out the orders of signals that are there, in the order in which they came.

        What comes meanwhile has its turn after work: no stream of signals keeps a batch from it.
        """
        left = len(self._orders)
        while self._orders and left:
            await self._orders[0]()
            self._orders.popleft()
            self.wake()
            left = left - 1 if workflow.patched(FAIR_TO_WORK) else len(self._orders)

    async def _work_through(self, plan: BatchPlan) -> None:
        """Keeps a window of entries in flight until none is left, or history has grown long."""
        after, exhausted = 0, False
        self._ready.clear()
        while True:
            if self._has_news():
                await self._carry_out()
                self._woken = False
                after, exhausted = 0, False
                if workflow.patched(FAIR_TO_WORK):
                    self._unseen = {entry.ordinal for entry in self._ready}
                else:
                    self._ready.clear()
                    self._not_before.clear()
            draining = self._paused or workflow.info().is_continue_as_new_suggested()
            room = not draining and len(self._in_flight) < plan.window
            entry = self._next_ready() if room else None
            if entry is not None:
                self._start(plan, entry)
                continue
            if room and not exhausted:
                page = await bookkeeping.open_entries(OpenEntries(self._run.batch_id, after, PAGE))
                exhausted = not page.entries
                after = page.entries[-1].ordinal if page.entries else after
                self._take_in(page.entries)
                if exhausted:
                    self._drop_unseen()
                continue
            if not self._in_flight and (draining or not self._ready):
                return
            await self._wait_for_change()

    def _take_in(self, entries: list[EntryRef]) -> None:
        """Entries wait for a place in the window, unless they do already or have one."""
        known = {entry.ordinal for entry in self._ready} | self._in_flight.keys()
        for entry in entries:
            self._unseen.discard(entry.ordinal)
            if not entry.wait_s:
                self._not_before.pop(entry.ordinal, None)  # it was retried, or is due
            if entry.ordinal in known:
                continue
            if entry.wait_s and entry.ordinal not in self._not_before:
                wait = timedelta(seconds=entry.wait_s)
                self._not_before[entry.ordinal] = workflow.now() + wait
            self._ready.append(entry)

    def _drop_unseen(self) -> None:
        """What Postgres has no more, as it was cancelled or deleted, waits here no longer."""
        if self._unseen:
            self._ready = deque(e for e in self._ready if e.ordinal not in self._unseen)
            self._unseen.clear()

    def _next_ready(self) -> EntryRef | None:
        """The first entry that may be begun now, taken out of those that wait."""
        now = workflow.now()
        for place, entry in enumerate(self._ready):
            not_before = self._not_before.get(entry.ordinal)
            if (not_before is None or not_before <= now) and self._hosts.may_be_asked(
                entry.host, now
            ):
                del self._ready[place]
                return entry
        return None

    async def _wait_for_change(self) -> None:
        """Until something has ended, there is news, or an entry may be begun by the time."""
        in_flight = len(self._in_flight)

        def has_changed() -> bool:
            return len(self._in_flight) < in_flight or self._has_news()

        now = workflow.now()
        times = [self._not_before[e.ordinal] for e in self._ready if e.ordinal in self._not_before]
        times += self._hosts.closed(now).values()
        later = [time for time in times if time > now] if self._ready else []
        if not later:
            await workflow.wait_condition(has_changed)
            return
        timeout = max(min(later) - now, timedelta(milliseconds=50))
        with suppress(TimeoutError):
            await workflow.wait_condition(has_changed, timeout=timeout)

    def _start(self, plan: BatchPlan, entry: EntryRef) -> None:
        if workflow.info().typed_search_attributes.get(STATE) != BatchState.PROCESSING:
            workflow.upsert_search_attributes([STATE.value_set(BatchState.PROCESSING)])
        self._not_before.pop(entry.ordinal, None)
        known = self._deferred.pop(entry.ordinal, InFlight(entry.asset, ""))
        self._in_flight[entry.ordinal] = replace(
            known, since=_text(workflow.now()), next_attempt=None
        )
        is_last = self._hosts.is_given_up(entry.host)
        self._hosts.begin(entry.host)
        task = asyncio.create_task(self._process(plan, entry, is_last))
        task.add_done_callback(lambda _: self._in_flight.pop(entry.ordinal))

    async def _process(self, plan: BatchPlan, entry: EntryRef, is_last: bool) -> None:
        """One entry, to its end: what its activity could not record is recorded here."""
        try:
            outcome = await process(
                PROCESS_ENTRY,
                ProcessEntry(self._run.batch_id, entry.ordinal, is_last),
                task_queue=entry.task_queue or plan.queue,
                priority=Priority(fairness_key=str(plan.customer_id), fairness_weight=plan.weight),
                summary=f"{entry.asset} {entry.file}".rstrip(),
            )
        except ProcessingFailed as failed:
            outcome = Outcome(error=str(failed))
            fault = EntryFault(self._run.batch_id, entry.ordinal, str(failed))
            await bookkeeping.record_fault(fault)
        self._hosts.end(entry.host)
        if outcome.held_back:
            self._hosts.release_probe(entry.host)
            self._paused = True
        elif outcome.wait_s is not None:
            self._defer(entry, outcome, outcome.wait_s)
        else:
            # An error says nothing of a host that is closed: another probe follows.
            (self._hosts.open if outcome.error is None else self._hosts.release_probe)(entry.host)
            self._hand_backs.pop(entry.ordinal, None)
            self._note(entry, outcome)

    def _defer(self, entry: EntryRef, outcome: Outcome, wait_s: float) -> None:
        """The entry waits here, and holds no slot: for another try, or for its host."""
        now = workflow.now()
        wait = timedelta(seconds=wait_s)
        closes = outcome.closes_host or self._hosts.is_closed(entry.host)
        if outcome.is_attempt and closes and entry.host:
            self._hosts.close(entry.host, now, wait)
        elif not outcome.is_attempt:
            self._hosts.release_probe(entry.host)
            times = self._hand_backs.get(entry.ordinal, 0)
            self._hand_backs[entry.ordinal] = times + 1
            wait = hand_back_wait(wait_s, times)
        self._not_before[entry.ordinal] = now + wait
        self._deferred[entry.ordinal] = replace(
            self._in_flight[entry.ordinal],
            attempts=outcome.attempts,
            last_fault=outcome.fault,
            next_attempt=_text(now + wait),
        )
        self._ready.append(entry)

    def _note(self, entry: EntryRef, outcome: Outcome) -> None:
        """Counts an outcome until the counts are read from Postgres again."""
        known, busy = self._progress, len(self._in_flight) + len(self._between_tries())
        failed = [FailedAsset(entry.asset, outcome.error)] if outcome.error else []
        self._progress = replace(
            known,
            state=BatchState.PROCESSING,
            waiting=max(0, known.count - known.completed - 1 - busy),
            processing=busy,
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


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
