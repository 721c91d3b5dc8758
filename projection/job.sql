-- lock: the asset of a job, until the transaction ends
SELECT id FROM asset WHERE job_id = %(job_id)s FOR NO KEY UPDATE;

-- read: a job's asset and who is processing it; after lock, so that nothing is stale
SELECT a.customer_id, a.space_id, a.id AS asset_id, a.media_type, a.origin, a.delivery_channels,
    c.holder
FROM asset a
LEFT JOIN claim c ON (c.customer_id, c.space_id, c.asset_id) = (a.customer_id, a.space_id, a.id)
WHERE a.job_id = %(job_id)s;

-- begin: work starts: the asset is claimed
INSERT INTO claim (customer_id, space_id, asset_id, holder)
VALUES (%(customer_id)s, %(space_id)s, %(asset_id)s, %(holder)s)
ON CONFLICT (customer_id, space_id, asset_id) DO NOTHING;

-- release: work ended, whatever has become of the asset
DELETE FROM claim WHERE holder = %(holder)s AND customer_id = %(customer_id)s
    AND space_id = %(space_id)s AND asset_id = %(asset_id)s;

-- end: the outcome, unless a newer job has the asset
UPDATE asset SET job_id = NULL, ingesting = false, finished = now(), error = %(error)s,
    width = CASE WHEN %(error)s::text IS NULL THEN %(width)s ELSE width END,
    height = CASE WHEN %(error)s::text IS NULL THEN %(height)s ELSE height END,
    duration = CASE WHEN %(error)s::text IS NULL THEN %(duration)s ELSE duration END,
    derivatives = CASE WHEN %(error)s::text IS NULL THEN %(derivatives)s ELSE derivatives END
WHERE job_id = %(job_id)s;
