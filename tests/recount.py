"""A recount of every counter, independent of the triggers that keep them."""

RECOUNT = """
WITH e AS (
    SELECT batch_id, count(*) AS count,
        count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'processing') AS processing,
        count(*) FILTER (WHERE state IN ('completed', 'error')) AS completed,
        count(*) FILTER (WHERE state = 'error') AS errors
    FROM entry GROUP BY batch_id
), b AS (
    SELECT batch.*, (SELECT count(*) FROM asset WHERE batch_id = batch.id) AS really_owned,
        e.count AS really, e.waiting AS really_waiting, e.processing AS really_processing,
        e.completed AS really_completed, e.errors AS really_errors
    FROM batch LEFT JOIN e ON e.batch_id = batch.id
)
SELECT 'batch ' || id AS wrong FROM b
WHERE (count, waiting, processing, completed, errors, owned) IS DISTINCT FROM
    (really, really_waiting, really_processing, really_completed, really_errors, really_owned)
    OR (state = 'finished') <> (really_completed = really)
    OR (finished IS NOT NULL) <> (really_completed = really)
    OR superseded <> (really_owned = 0)
    OR (state = 'waiting' AND really_processing > 0)
    OR (state = 'processing' AND started IS NULL)
UNION ALL
SELECT 'queue ' || q.customer_id || ' ' || q.manifest_key FROM queue q
WHERE (waiting, processing, batches_waiting, priority, batches, batches_active, batches_recent)
    <> (SELECT
        coalesce(sum(really_waiting) FILTER (WHERE kind = 'main'), 0)::bigint,
        coalesce(sum(really_processing) FILTER (WHERE kind = 'main'), 0)::bigint,
        count(*) FILTER (WHERE kind = 'main' AND state = 'waiting'),
        coalesce(sum(really_waiting + really_processing) FILTER (WHERE kind = 'priority'), 0
            )::bigint,
        count(*),
        count(*) FILTER (WHERE state = 'processing'),
        count(*) FILTER (WHERE really_completed = really AND really_owned > 0)
    FROM b WHERE b.customer_id = q.customer_id AND q.manifest_key IN (0, b.manifest_key))
UNION ALL
SELECT 'no queue for batch ' || id FROM b
WHERE NOT EXISTS (SELECT FROM queue q
        WHERE q.customer_id = b.customer_id AND q.manifest_key = 0)
    OR NOT EXISTS (SELECT FROM queue q
        WHERE q.customer_id = b.customer_id AND q.manifest_key = b.manifest_key)
UNION ALL
SELECT 'space ' || id FROM space s
WHERE (assets, bytes) <> (
    SELECT count(*), coalesce(sum((
        SELECT sum((d ->> 'bytes')::bigint) FROM jsonb_array_elements(a.derivatives) d
    )), 0) FROM asset a
    WHERE a.customer_id = s.customer_id AND a.space_id = s.id)
UNION ALL
SELECT 'entry ' || batch_id || ' ' || ordinal FROM entry e
WHERE owned <> EXISTS (SELECT FROM asset a WHERE a.batch_id = e.batch_id
    AND a.ordinal = e.ordinal AND (a.customer_id, a.space_id, a.id)
        = (e.customer_id, e.space_id, e.asset_id))
    OR (state = 'processing' AND NOT EXISTS (SELECT FROM claim c WHERE c.customer_id = e.customer_id
        AND c.asset_id = e.asset_id AND c.holder = 'batch-' || e.batch_id))
"""
"""Gives a row for each counter, flag or claim that does not agree with what it counts."""
