"""The stack of one data folder, from its first child to its orderly stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from local.errors import EngineError
from local.notice import say
from local.run import PARTS, Addresses, Run, read_run, remove_run, write_run
from local.supervisor import Limits, Supervisor


async def run_stack(
    data: Path,
    addresses: Addresses,
    start: Callable[[Supervisor], Awaitable[None]],
    ready: Callable[[Run], None],
    limits: Limits,
) -> None:
    """Has `start` start the parts, tells `ready`, and keeps them running until a signal.

    `run.json` is there from when all parts were started to when all are stopped. Raises EngineError
    when a part is given up, once the others are stopped.
    """

    def changed(pids: Mapping[str, int]) -> None:
        if pids.keys() >= PARTS:
            write_run(data, addresses, pids)

    supervisor = Supervisor(changed, limits)
    try:
        await _until_signal(_serve(data, supervisor, start, ready))
    finally:
        say("stopping")
        await supervisor.stop()
        remove_run(data)


async def _serve(
    data: Path,
    supervisor: Supervisor,
    start: Callable[[Supervisor], Awaitable[None]],
    ready: Callable[[Run], None],
) -> None:
    await start(supervisor)
    run = read_run(data)
    if run is None:
        raise EngineError(f"{data / 'run.json'} was removed while the stack was starting")
    await asyncio.to_thread(ready, run)
    await supervisor.watch()


async def _until_signal(work: Awaitable[None]) -> None:
    """Awaits the work, or its cancellation at SIGINT, SIGTERM or, unless ignored, SIGHUP.

    A shell starts what it puts in the background with SIGINT ignored; it stops the stack all the
    same, whereas an ignored SIGHUP is nohup's wish.

    The signals stay caught until the loop closes: a second Ctrl-C does not break the stop.
    """
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, asked.set)
    working = asyncio.ensure_future(work)
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait({working, asking}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        asking.cancel()
        working.result()
    else:
        working.cancel()
        await asyncio.wait({working})
