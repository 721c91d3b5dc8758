"""The `iiifq` command."""

import os
import sys

import typer

from cli import client, customer, demo, processes, stack, steering

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A durable ingest queue for IIIF platforms.",
)
app.add_typer(customer.app, name="customer", help="Customers and their credentials.")
app.command("up")(stack.up)
app.command("demo")(demo.demo)
app.command("submit")(client.submit)
app.command("watch")(client.watch)
app.command("retry")(client.retry)
app.command("queue")(client.queue)
app.command("pause")(steering.pause)
app.command("resume")(steering.resume)
app.command("doctor")(processes.doctor)
app.command("alive")(processes.alive)
app.command("migrate")(processes.migrate)
app.command("api")(processes.api)
app.command("worker")(processes.worker)


def main() -> None:
    """Runs the command, and leaves with its exit code.

    The Temporal SDK can abort the interpreter while that takes itself down (exit 134), after all
    work is done; so the process ends here, at once.
    """
    code = 1
    try:
        app(standalone_mode=True)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - the interpreter shows it, and the process ends
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
