-- lock: the asset of a job, until the transaction ends
SELECT id FROM asset WHERE job_id = %(job_id)s FOR NO KEY UPDATE;

-- read: a job's asset; after lock, so that nothing is stale
SELECT customer_id, space_id, id AS asset_id, media_type, origin, attempts,
    with_policies(customer_id, delivery_channels) AS delivery_channels,
    EXISTS (SELECT FROM customer c WHERE c.id = customer_id AND c.quota_bytes IS NOT NULL)
        AS is_bounded,
    origin_strategies(customer_id) AS strategies
FROM asset WHERE job_id = %(job_id)s;

-- begin: work starts again
UPDATE asset SET next_attempt = NULL WHERE job_id = %(job_id)s AND next_attempt IS NOT NULL;

-- defer: the asset waits for another try, unless a newer job has it
UPDATE asset SET attempts = %(attempts)s, last_fault = coalesce(%(fault)s, last_fault),
    next_attempt = clock_timestamp() + make_interval(secs => %(wait_s)s)
WHERE job_id = %(job_id)s;

-- end: the outcome, unless a newer job has the asset
UPDATE asset SET job_id = NULL, ingesting = false, finished = now(), error = %(error)s,
    width = CASE WHEN %(error)s::text IS NULL THEN %(width)s ELSE width END,
    height = CASE WHEN %(error)s::text IS NULL THEN %(height)s ELSE height END,
    duration = CASE WHEN %(error)s::text IS NULL THEN %(duration)s ELSE duration END,
    derivatives = CASE WHEN %(error)s::text IS NULL THEN %(derivatives)s ELSE derivatives END
WHERE job_id = %(job_id)s;
