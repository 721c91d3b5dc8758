"""Brings a database to the newest schema: numbered `.sql` files, applied once each, in order.

A file that is on main is never changed: databases out there have applied it. Another follows it.
"""

from importlib import resources

import psycopg

from projection.statements import statements


def migrate(url: str) -> list[str]:
    """Applies what is missing, all in one transaction under a lock; returns the names applied.

    Two processes may call it at once: the second waits, and finds nothing to do.
    """
    sql = statements("migrate")
    folder = resources.files("projection").joinpath("migrations")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name
    )
    with psycopg.connect(url, application_name="iiifq-migrate") as connection:
        connection.execute(sql["lock"])
        connection.execute(sql["create"])
        applied = {row[0] for row in connection.execute(sql["applied"])}
        missing = [file for file in files if file.name not in applied]
        for file in missing:
            connection.execute(file.read_bytes())
            connection.execute(sql["record"], {"name": file.name})
    return [file.name for file in missing]
