-- counters: of one queue
SELECT waiting + processing AS size, waiting AS images_waiting, batches_waiting, batches,
    batches_active, batches_recent
FROM queue WHERE customer_id = %(customer_id)s AND manifest_key = %(manifest_key)s;

-- others_wait: whether another customer has assets of this kind that no work has started on
SELECT EXISTS (SELECT FROM queue WHERE manifest_key = 0 AND customer_id <> %(customer_id)s
    AND CASE %(kind)s WHEN 'main' THEN waiting > 0 ELSE priority > 0 END);

-- everywhere: assets on the queues of all customers
SELECT coalesce(sum(waiting + processing), 0)::bigint AS incoming,
    coalesce(sum(priority), 0)::bigint AS priority
FROM queue WHERE manifest_key = 0;

-- hold: nothing new of the customer's queue is begun
INSERT INTO held_queue (customer_id, kind) VALUES (%(customer_id)s, %(kind)s)
ON CONFLICT DO NOTHING;

-- release: it goes on
DELETE FROM held_queue WHERE customer_id = %(customer_id)s AND kind = %(kind)s;
