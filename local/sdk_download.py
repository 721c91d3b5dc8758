"""Has Temporal's SDK download its CLI: `python -m local.sdk_download FOLDER VERSION`.

A program of its own, so that it can be given up. The SDK only downloads on the way to starting a
server, which is stopped again.
"""

import asyncio
import os
import sys

from temporalio.testing import WorkflowEnvironment


async def download(folder: str, version: str) -> None:
    """Leaves the program in the folder. Raises RuntimeError if it cannot be had."""
    environment = await WorkflowEnvironment.start_local(
        download_dest_dir=folder, dev_server_download_version=version
    )
    await environment.shutdown()


if __name__ == "__main__":
    try:
        asyncio.run(download(*sys.argv[1:3]))
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # the SDK may abort the interpreter at exit, which says nothing of the download
    os._exit(0)
