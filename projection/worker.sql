-- sign: a worker lives
INSERT INTO worker (id, queues, trouble, seen)
VALUES (%(id)s, %(queues)s, %(trouble)s, now())
ON CONFLICT (id) DO UPDATE SET queues = excluded.queues, trouble = excluded.trouble, seen = now();

-- troubles: what workers that gave a sign lately wait for
SELECT DISTINCT trouble FROM worker
WHERE trouble IS NOT NULL AND seen > now() - make_interval(secs => %(seconds)s) ORDER BY trouble;

-- leave: a worker stops
DELETE FROM worker WHERE id = %(id)s;

-- on_host: workers of a host that gave a sign lately
SELECT id FROM worker WHERE regexp_replace(id, '-[0-9]+$', '') = %(host)s
    AND seen > now() - make_interval(secs => %(seconds)s);

-- alive: task queues that are polled by a worker that gave a sign lately
SELECT DISTINCT unnest(queues) AS queue FROM worker
WHERE seen > now() - make_interval(secs => %(seconds)s);

-- clean: forgets workers that are long gone
DELETE FROM worker WHERE seen < now() - interval '1 hour';
