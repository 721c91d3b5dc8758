"""Many batches of a customer, written by COPY without the triggers, and then counted."""

from collections.abc import Iterator

import psycopg

OF_EACH = 100
"""Assets in a batch."""

BATCHES = """
COPY batch (id, customer_id, kind, submitted, state, count, waiting, processing, completed, owned,
    started, finished, dispatched) FROM STDIN
"""
ASSETS = """
COPY asset (customer_id, space_id, id, media_type, origin, delivery_channels, string1, batch_id,
    ordinal, ingesting, finished, width, height) FROM STDIN
"""
ENTRIES = """
COPY entry (batch_id, ordinal, customer_id, manifest_key, kind, space_id, asset_id, state)
FROM STDIN
"""
COUNT = """
SELECT setval(pg_get_serial_sequence('batch', 'id'), max(id)) FROM batch;
UPDATE space s SET assets = (SELECT count(*) FROM asset a
    WHERE (a.customer_id, a.space_id) = (s.customer_id, s.id));
INSERT INTO queue SELECT customer_id, 0,
    coalesce(sum(waiting) FILTER (WHERE kind = 'main'), 0),
    coalesce(sum(processing) FILTER (WHERE kind = 'main'), 0),
    count(*) FILTER (WHERE kind = 'main' AND state = 'waiting'),
    coalesce(sum(waiting + processing) FILTER (WHERE kind = 'priority'), 0),
    count(*),
    count(*) FILTER (WHERE state = 'processing'),
    count(*) FILTER (WHERE state = 'finished' AND NOT superseded)
FROM batch GROUP BY customer_id
"""


def _state(number: int, batches: int) -> str:
    """The oldest eight of ten have finished, the next one is being worked on, the newest waits."""
    tenth = number * 10 // batches
    return "finished" if tenth < 8 else "processing" if tenth < 9 else "waiting"


def _rows(first: int, batches: int) -> Iterator[tuple[int, str, int, int]]:
    """Batch id, its state, and how many of its entries are in process and have ended."""
    for number in range(batches):
        state = _state(number, batches)
        ended = {"finished": OF_EACH, "processing": OF_EACH // 2, "waiting": 0}[state]
        yield first + number, state, 10 if state == "processing" else 0, ended


def seed(url: str, customer_id: int, batches: int) -> int:
    """Writes the customer's batches (they have none) into a space 1; the id of the first."""
    stamp = "2026-01-01 00:00:00+00"
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM batch")
        (first,) = cursor.fetchone() or (1,)
        with connection.transaction():
            with cursor.copy(BATCHES) as copy:
                for batch_id, state, busy, ended in _rows(first, batches):
                    waiting = OF_EACH - busy - ended
                    finished = stamp if state == "finished" else None
                    begun = None if state == "waiting" else stamp
                    counts = (OF_EACH, waiting, busy, ended, OF_EACH)
                    copy.write_row(
                        (batch_id, customer_id, "main", stamp, state, *counts, begun, finished, 1)
                    )
            with cursor.copy(ASSETS) as copy:
                channels = '[{"channel": "iiif-img", "policy": "default"}]'
                for batch_id, _, _, ended in _rows(first, batches):
                    for ordinal in range(1, OF_EACH + 1):
                        done = ordinal <= ended
                        copy.write_row(
                            (
                                *(customer_id, 1, f"{batch_id}-{ordinal}", "image/jpeg"),
                                *("https://example.org/scan.jpg", channels, f"book {batch_id}"),
                                *(batch_id, ordinal, not done, stamp if done else None),
                                *((3000, 2000) if done else (None, None)),
                            )
                        )
            with cursor.copy(ENTRIES) as copy:
                for batch_id, _, busy, ended in _rows(first, batches):
                    for ordinal in range(1, OF_EACH + 1):
                        state = "completed" if ordinal <= ended else "waiting"
                        state = "processing" if ended < ordinal <= ended + busy else state
                        asset_id = f"{batch_id}-{ordinal}"
                        copy.write_row(
                            (batch_id, ordinal, customer_id, 0, "main", 1, asset_id, state)
                        )
            cursor.execute("DELETE FROM queue")
            cursor.execute(COUNT)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
    return int(first)
