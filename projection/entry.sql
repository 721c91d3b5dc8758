-- submit: the entries of a batch, one for each of its assets
INSERT INTO entry (batch_id, ordinal, customer_id, manifest_key, kind, space_id, asset_id)
SELECT %(batch_id)s, ordinal, %(customer_id)s, %(manifest_key)s, %(kind)s, space_id, id
FROM asset WHERE batch_id = %(batch_id)s ORDER BY ordinal;

-- take: a newer batch has the assets of older entries; those that still wait end
UPDATE entry e SET owned = false,
    state = CASE e.state WHEN 'waiting' THEN 'completed' ELSE e.state END
FROM unnest(%(batch_ids)s::bigint[], %(ordinals)s::int[]) AS t (batch_id, ordinal)
WHERE e.batch_id = t.batch_id AND e.ordinal = t.ordinal AND e.owned
RETURNING CASE old.state WHEN 'waiting' THEN e.batch_id END AS ended_in;

-- open: entries of a batch that have not ended, in pages by ordinal
SELECT e.ordinal, e.space_id || '/' || e.asset_id AS asset, a.origin,
    coalesce(a.delivery_channels @> '[{"channel": "iiif-av"}]', false) AS is_av,
    coalesce(a.delivery_channels <@ '[{"channel": "none", "policy": "none"}]', true) AS is_unfetched,
    coalesce(greatest(0, extract(epoch FROM a.next_attempt - clock_timestamp())), 0)::float AS wait_s
FROM entry e
LEFT JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(batch_id)s AND e.ordinal > %(after)s
    AND e.state IN ('waiting', 'processing')
ORDER BY e.ordinal LIMIT %(limit)s;

-- lock: the asset of an entry, until the transaction ends
SELECT a.id FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(batch_id)s AND e.ordinal = %(ordinal)s FOR NO KEY UPDATE OF a;

-- read: an entry with its asset; after lock, so that nothing is stale
SELECT e.state, e.owned, e.customer_id, e.space_id, e.asset_id, a.media_type, a.origin, a.attempts,
    with_policies(e.customer_id, a.delivery_channels) AS delivery_channels,
    EXISTS (SELECT FROM customer c WHERE c.id = e.customer_id AND c.quota_bytes IS NOT NULL)
        AS is_bounded,
    origin_strategies(e.customer_id) AS strategies,
    b.cancelled, b.paused OR EXISTS (SELECT FROM held_queue h
        WHERE (h.customer_id, h.kind) = (b.customer_id, b.kind)) AS held_back
FROM entry e
JOIN batch b ON b.id = e.batch_id
LEFT JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(batch_id)s AND e.ordinal = %(ordinal)s;

-- begin: work starts
WITH begun AS (
    UPDATE entry SET state = 'processing'
    WHERE batch_id = %(batch_id)s AND ordinal = %(ordinal)s AND state = 'waiting'
)
UPDATE asset SET ingesting = true, finished = NULL, error = NULL, next_attempt = NULL
WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND id = %(asset_id)s;

-- defer: the asset waits for another try, unless a newer batch has it
UPDATE asset a SET attempts = %(attempts)s, last_fault = coalesce(%(fault)s, a.last_fault),
    next_attempt = clock_timestamp() + make_interval(secs => %(wait_s)s)
FROM entry e
WHERE e.batch_id = %(batch_id)s AND e.ordinal = %(ordinal)s AND e.owned AND e.state = 'processing'
    AND a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s AND a.id = %(asset_id)s;

-- is_cancelled: whether an entry that is being worked on is wanted no more
SELECT b.cancelled AND e.owned AND e.state = 'processing' FROM batch b
JOIN entry e ON e.batch_id = b.id WHERE b.id = %(batch_id)s AND e.ordinal = %(ordinal)s;

-- end_asset: work ended, well or with an error; the asset follows unless a newer batch has it
UPDATE asset a SET ingesting = false, finished = now(), error = %(error)s,
    width = CASE WHEN %(error)s::text IS NULL THEN %(width)s ELSE a.width END,
    height = CASE WHEN %(error)s::text IS NULL THEN %(height)s ELSE a.height END,
    duration = CASE WHEN %(error)s::text IS NULL THEN %(duration)s ELSE a.duration END,
    derivatives = CASE WHEN %(error)s::text IS NULL THEN %(derivatives)s ELSE a.derivatives END
FROM entry e
WHERE e.batch_id = %(batch_id)s AND e.ordinal = %(ordinal)s AND e.owned
    AND e.state IN ('waiting', 'processing')
    AND a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s AND a.id = %(asset_id)s;

-- end: the entry itself; after the asset, whose space is locked before the batch
UPDATE entry SET state = CASE WHEN %(error)s::text IS NULL
        THEN 'completed' ELSE 'error' END::entry_state,
    error = %(error)s
WHERE batch_id = %(batch_id)s AND ordinal = %(ordinal)s AND state IN ('waiting', 'processing');
