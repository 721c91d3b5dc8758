"""A batch of scans from POST to finished, against a bare script that does the same work.

The bare script has a process for each core; each fetches an original over HTTP and makes the same
derivatives by the same libvips calls, into a folder. Both alternate in one run.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from activities.image_job import ImageJob
from bench.figure import Figure
from delivery_channels import THUMBS
from tests.stack import Customer, running_stack

SAMPLE = Path(__file__).parent.parent / "cli" / "samples" / "retina.jpg"
SCAN_WIDTH, SCAN_HEIGHT = 2300, 3050


def bare(url: str, folder: str) -> None:
    """One scan: fetched, and its derivatives made."""
    from activities.image import derive

    with tempfile.TemporaryDirectory(dir=folder) as made:
        source = Path(made) / "original"
        with urllib.request.urlopen(url) as response:
            source.write_bytes(response.read())
        derive(ImageJob(source, Path(made), "default", THUMBS, 10**9))


def quiet() -> None:
    """One libvips thread for each process: as many processes as cores are at work."""
    os.environ["VIPS_CONCURRENCY"] = "1"


@contextmanager
def origin(folder: Path) -> Iterator[str]:
    """The folder over HTTP, by a process of its own."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split(" port ")[1].split()[0]
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def scans(folder: Path) -> list[str]:
    """Names of the scans in the folder that IIIFQ_BENCH_SCANS names, or of one made here."""
    given = os.environ.get("IIIFQ_BENCH_SCANS")
    if given:
        for scan in sorted(Path(given).glob("*.jpg")):
            (folder / scan.name).symlink_to(scan.resolve())
    else:
        make = (
            "import sys, pyvips; a = pyvips.Image.new_from_file(sys.argv[1]);"
            f"b = a.thumbnail_image({SCAN_WIDTH}, height={SCAN_HEIGHT}, size='force');"
            "b = b.copy_memory();"
            "n = pyvips.Image.gaussnoise(b.width, b.height, sigma=6, seed=1);"
            "(b + n).cast('uchar').copy(interpretation='srgb').jpegsave(sys.argv[2], Q=88)"
        )
        target = str(folder / "scan.jpg")
        subprocess.run([sys.executable, "-c", make, str(SAMPLE), target], check=True)
    return sorted(path.name for path in folder.glob("*.jpg"))


def ours(customer: Customer, urls: list[str], mark: str) -> float:
    """Scans a second from POST to `finished`, which the batch says: asking often would cost."""
    members = [
        {"id": f"{mark}-{n}", "space": 1, "origin": url, "mediaType": "image/jpeg"}
        for n, url in enumerate(urls)
    ]
    started = time.time()
    batch = customer.submit(members)
    while "finished" not in batch:
        time.sleep(1)
        batch = customer.get(batch["@id"])
    spent = datetime.fromisoformat(batch["finished"]).timestamp() - started
    if batch["errors"]:
        raise RuntimeError(f"{batch['errors']} scans ended with an error")
    return len(urls) / spent


def run(count: int, rounds: int) -> Figure:
    """The figure for batches of `count` scans."""
    cores = len(os.sched_getaffinity(0))
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "origin").mkdir()
        names = scans(folder / "origin")
        with (
            origin(folder / "origin") as url,
            running_stack(folder / "data", IIIFQ_RECONCILE_S="30") as stack,
            ProcessPoolExecutor(cores, get_context("spawn"), quiet) as pool,
        ):
            customer = stack.customer()
            urls = [f"{url}/{names[n % len(names)]}" for n in range(count)]
            ours(customer, urls[:8], "warm")
            list(pool.map(bare, urls[:8], [temporary] * 8))
            for number in range(rounds):
                started = time.perf_counter()
                list(pool.map(bare, urls, [temporary] * count))
                rates["bare"].append(count / (time.perf_counter() - started))
                rates["ours"].append(ours(customer, urls, f"round-{number}"))
    name = "scans from POST to finished"
    return Figure(name, median(rates["ours"]), median(rates["bare"]), "/s", 0.95, "at least")
