-- create: an empty batch
INSERT INTO batch (customer_id, manifest_key, kind)
VALUES (%(customer_id)s, %(manifest_key)s, %(kind)s) RETURNING id;

-- get: one batch of a customer
SELECT {columns} FROM batch b WHERE b.id = %(id)s AND b.customer_id = %(customer_id)s
    AND %(manifest_key)s::bigint IN (0, b.manifest_key);

-- columns: what a batch is read as
b.id, b.customer_id, b.manifest_key, b.kind, b.submitted, b.state, b.count, b.waiting,
b.processing, b.completed, b.errors, b.owned, b.superseded, b.cancelled, b.paused, b.started,
b.completed_before, b.finished, b.requested;

-- all_batches: most recent first
SELECT {columns} FROM batch b WHERE b.customer_id = %(customer_id)s
ORDER BY b.submitted {down}, b.id {down} LIMIT %(limit)s OFFSET %(offset)s;

-- active_batches: those being worked on, most recent first
SELECT {columns} FROM batch b WHERE b.customer_id = %(customer_id)s AND b.state = 'processing'
ORDER BY b.id {down} LIMIT %(limit)s OFFSET %(offset)s;

-- recent_batches: finished and not superseded, last finished first
SELECT {columns} FROM batch b
WHERE b.customer_id = %(customer_id)s AND b.state = 'finished' AND NOT b.superseded
ORDER BY b.finished {down}, b.id {down} LIMIT %(limit)s OFFSET %(offset)s;

-- manifest_all_batches: most recent first
SELECT {columns} FROM batch b WHERE b.manifest_key = %(manifest_key)s AND b.manifest_key <> 0
ORDER BY b.submitted {down}, b.id {down} LIMIT %(limit)s OFFSET %(offset)s;

-- manifest_active_batches: those being worked on, most recent first
SELECT {columns} FROM batch b
WHERE b.manifest_key = %(manifest_key)s AND b.manifest_key <> 0 AND b.state = 'processing'
ORDER BY b.id {down} LIMIT %(limit)s OFFSET %(offset)s;

-- manifest_recent_batches: finished and not superseded, last finished first
SELECT {columns} FROM batch b
WHERE b.manifest_key = %(manifest_key)s AND b.manifest_key <> 0 AND b.state = 'finished'
    AND NOT b.superseded
ORDER BY b.finished {down}, b.id {down} LIMIT %(limit)s OFFSET %(offset)s;

-- dispatched: their workflows have been told; after lock_many
UPDATE batch SET dispatched = greatest(dispatched,
    (%(requests)s::int[])[array_position(%(batch_ids)s::bigint[], id)])
WHERE id = ANY(%(batch_ids)s::bigint[]);

-- undispatched: batches whose workflow is not known to have been told, oldest first
SELECT id, customer_id, kind, requested FROM batch WHERE dispatched < requested
ORDER BY id LIMIT %(limit)s;

-- newest_undispatched: the newest of them, whose senders wait while there are many
SELECT id, customer_id, kind, requested FROM batch WHERE dispatched < requested
ORDER BY id DESC LIMIT %(limit)s;

-- unfinished: batches that a workflow has to be driving, in pages by id
SELECT id, customer_id, kind, requested FROM batch WHERE state <> 'finished' AND id > %(after)s
ORDER BY id LIMIT %(limit)s;

-- plan: what its workflow has to know
SELECT b.customer_id, b.kind, b.count, c.weight
FROM batch b JOIN customer c ON c.id = b.customer_id WHERE b.id = %(id)s;

-- progress: its counts
SELECT state, count, waiting, processing, completed, errors, cancelled,
    paused OR EXISTS (SELECT FROM held_queue h
        WHERE (h.customer_id, h.kind) = (batch.customer_id, batch.kind)) AS paused
FROM batch WHERE id = %(id)s;

-- request: their workflows have to be told again; after lock_many
UPDATE batch SET requested = requested + 1 WHERE id = ANY(%(batch_ids)s::bigint[])
RETURNING id, customer_id, kind, requested;

-- pause: nothing new of it is begun, or is again
UPDATE batch SET paused = %(paused)s WHERE id = %(id)s;

-- between_tries: assets of a batch that wait for another try, the next first
SELECT e.space_id || '/' || e.asset_id AS asset, a.attempts, a.last_fault, a.next_attempt
FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(id)s AND e.owned AND e.state = 'processing' AND a.next_attempt IS NOT NULL
ORDER BY a.next_attempt LIMIT 100;

-- first_failed: failed entries with their errors, as they were sent
SELECT space_id || '/' || asset_id AS asset, error FROM entry
WHERE batch_id = %(id)s AND state = 'error' ORDER BY ordinal LIMIT %(limit)s;

-- held_by: unfinished batches of a customer's queue
SELECT id FROM batch
WHERE customer_id = %(customer_id)s AND kind = %(kind)s AND state <> 'finished' ORDER BY id;

-- lock: no entry of the batch changes until the transaction ends
SELECT id FROM batch WHERE id = %(id)s FOR NO KEY UPDATE;

-- lock_many: these batches, until the transaction ends
SELECT id FROM batch WHERE id = ANY(%(batch_ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- lock_assets: of entries in a state, until the transaction ends; gives the entries
SELECT e.ordinal FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(id)s AND e.owned AND e.state = %(state)s
ORDER BY a.customer_id, a.space_id, a.id FOR NO KEY UPDATE OF a;

-- lock_between_tries: the assets of entries that no work is being done on, until the transaction
-- ends; gives the entries
SELECT e.ordinal FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(id)s AND e.owned
    AND (e.state = 'waiting' OR (e.state = 'processing' AND a.next_attempt IS NOT NULL))
ORDER BY a.customer_id, a.space_id, a.id FOR NO KEY UPDATE OF a;

-- failed: the entries that a retry takes up, of those whose assets are locked
SELECT ordinal, space_id, asset_id FROM entry
WHERE batch_id = %(id)s AND ordinal = ANY(%(ordinals)s) AND owned AND state = 'error'
ORDER BY ordinal;

-- retry: failed entries wait again, and so do their assets
WITH again AS (
    UPDATE entry SET state = 'waiting', error = NULL
    WHERE batch_id = %(id)s AND ordinal = ANY(%(ordinals)s)
    RETURNING batch_id, ordinal
)
UPDATE asset a SET ingesting = true, finished = NULL, error = NULL,
    attempts = 0, last_fault = NULL, next_attempt = NULL
FROM again WHERE a.batch_id = again.batch_id AND a.ordinal = again.ordinal;

-- cancel: what has not started, or waits for another try, ends, of the entries whose assets are locked
WITH ended AS (
    UPDATE entry e SET state = 'error', error = %(error)s
    FROM asset a
    WHERE e.batch_id = %(id)s AND e.ordinal = ANY(%(ordinals)s)
        AND (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
        AND (e.state = 'waiting' OR (e.state = 'processing' AND a.next_attempt IS NOT NULL))
    RETURNING e.batch_id, e.ordinal
)
UPDATE asset a SET ingesting = false, finished = now(), error = %(error)s, next_attempt = NULL
FROM ended WHERE a.batch_id = ended.batch_id AND a.ordinal = ended.ordinal
RETURNING a.ordinal;

-- cancelled: the batch remembers; no row when it had finished by itself
UPDATE batch SET cancelled = true
WHERE id = %(id)s AND (state <> 'finished' OR %(ended)s > 0) RETURNING id;

-- recount: corrects what does not agree with the entries; one row if anything did not
UPDATE batch b SET count = r.count, waiting = r.waiting, processing = r.processing,
    completed = r.completed, errors = r.errors, owned = r.owned
FROM (
    SELECT count(*) AS count,
        count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'processing') AS processing,
        count(*) FILTER (WHERE state IN ('completed', 'error')) AS completed,
        count(*) FILTER (WHERE state = 'error') AS errors,
        count(*) FILTER (WHERE owned) AS owned
    FROM entry WHERE batch_id = %(id)s
) r
WHERE b.id = %(id)s AND (b.count, b.waiting, b.processing, b.completed, b.errors, b.owned,
        b.state = 'finished')
    IS DISTINCT FROM (r.count, r.waiting, r.processing, r.completed, r.errors, r.owned,
        r.completed = r.count)
RETURNING b.id;

-- idempotency_expire: a key is of no effect after a day
DELETE FROM idempotency
WHERE customer_id = %(customer_id)s AND key = %(key)s AND created < now() - interval '24 hours';

-- idempotency_claim: takes the key, unless it is taken; waits for whoever is taking it right now
INSERT INTO idempotency (customer_id, key, request_hash, batch_id)
VALUES (%(customer_id)s, %(key)s, %(request_hash)s, 0)
ON CONFLICT (customer_id, key) DO NOTHING RETURNING key;

-- idempotency_get: what the key was used for
SELECT request_hash, batch_id FROM idempotency
WHERE customer_id = %(customer_id)s AND key = %(key)s;

-- idempotency_use: the key stands for this batch
UPDATE idempotency SET batch_id = %(batch_id)s
WHERE customer_id = %(customer_id)s AND key = %(key)s;

-- idempotency_clean: forgets keys older than a day
DELETE FROM idempotency WHERE created < now() - interval '24 hours';
