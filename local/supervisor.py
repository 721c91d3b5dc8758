"""Keeps children running: starts them, asks after their health, starts them again, stops them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local import child as programs
from local.child import CHECK_INTERVAL_S, Child, Process, ending
from local.errors import ChildFailed
from local.notice import say

POLL_S = 0.1


@dataclass(frozen=True)
class Limits:
    """When a child is given up, or replaced. In seconds, but for the counts of `failures`.

    A failure is a start that never came to an answer. At its first start a child has fewer of
    them, as waiting will not help a stack that is set up wrongly.
    """

    silence: float = 60.0
    check_interval: float = 2.0
    first_delay: float = 0.2
    longest_delay: float = 10.0
    settled: float = 60.0
    first_failures: int = 3
    failures: int = 10


@dataclass
class _Life:
    process: Process
    heard: float
    first_heard: float | None = None
    over: bool = False


class Supervisor:
    """Runs children; `changed` is told their process ids whenever one was started."""

    def __init__(
        self,
        changed: Callable[[Mapping[str, int]], None] = lambda _: None,
        limits: Limits = Limits(),
    ) -> None:
        self._changed = changed
        self._limits = limits
        self._children: list[Child] = []
        self._processes: dict[str, Process] = {}
        self._keepers: set[asyncio.Task[None]] = set()

    async def start(self, *children: Child) -> None:
        """Starts the children together, and returns when each has answered.

        Raises ChildFailed if one does not, or if a child of before is given up meanwhile.
        """
        answers = []
        for child in children:
            self._children.append(child)
            answered = asyncio.Event()
            answers.append(asyncio.create_task(answered.wait()))
            self._keepers.add(asyncio.create_task(self._keep(child, answered)))
        try:
            waiting = set(answers)
            while waiting:
                done, _ = await asyncio.wait(
                    waiting | self._keepers, return_when=asyncio.FIRST_COMPLETED
                )
                for keeper in done & self._keepers:
                    keeper.result()
                waiting -= done
        finally:
            for answer in answers:
                answer.cancel()

    async def watch(self) -> None:
        """Lasts for ever; raises ChildFailed when a child is given up."""
        await asyncio.gather(*self._keepers)

    async def stop(self) -> None:
        """Stops the children one by one, the last one given to `start` first."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in reversed(self._children):
            if process := self._processes.get(child.name):
                await asyncio.to_thread(programs.stop, child, process)

    async def _keep(self, child: Child, answered: asyncio.Event) -> None:
        limits, failures, delay = self._limits, 0, self._limits.first_delay
        while True:
            await asyncio.to_thread(child.before)
            process = programs.start(child)
            self._processes[child.name] = process
            self._changed({name: running.pid for name, running in self._processes.items()})
            healthy_s = await self._live(child, process, answered)
            failures = failures + 1 if healthy_s is None else 0
            if failures >= (limits.failures if answered.is_set() else limits.first_failures):
                what = f"failed {failures} times in a row (the last: {ending(process)})"
                raise ChildFailed(child.name, what, child.log)
            if healthy_s is not None and healthy_s >= limits.settled:
                delay = limits.first_delay
            say(f"{child.name} ended ({ending(process)}); starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, limits.longest_delay)

    async def _live(self, child: Child, process: Process, answered: asyncio.Event) -> float | None:
        """Until the process ends: how long it then was in health, None if it never answered."""
        life = _Life(process, heard=time.monotonic())
        async with asyncio.TaskGroup() as group:
            checks = group.create_task(self._check(child, life, answered))
            try:
                while process.poll() is None:  # noqa: ASYNC110 - Popen has no event
                    await asyncio.sleep(POLL_S)
            finally:
                life.over = True
                checks.cancel()
        return None if life.first_heard is None else life.heard - life.first_heard

    async def _check(self, child: Child, life: _Life, answered: asyncio.Event) -> None:
        limits = self._limits
        while True:
            # Silence ends when the question is put: while this process is itself held up, by a
            # sleeping laptop for one, nobody was asked.
            asked = time.monotonic()
            answers = await child.alive()
            if life.over:
                return  # Python 3.11's wait_for, in psycopg, can swallow a cancellation
            if answers:
                life.heard = time.monotonic()
                if life.first_heard is None:
                    life.first_heard = life.heard
                    answered.set()
            elif asked - life.heard > limits.silence:
                say(f"{child.name} has not answered for {limits.silence:g} s; replacing it")
                programs.kill(life.process)
            # Often while it starts, since others wait for its first answer.
            await asyncio.sleep(
                CHECK_INTERVAL_S if life.first_heard is None else limits.check_interval
            )
