-- counters: of one queue
SELECT waiting + processing AS size, waiting AS images_waiting, batches_waiting, batches,
    batches_active, batches_recent
FROM queue WHERE customer_id = %(customer_id)s AND manifest_key = %(manifest_key)s;

-- everywhere: assets on the queues of all customers
SELECT coalesce(sum(waiting + processing), 0)::bigint AS incoming,
    coalesce(sum(priority), 0)::bigint AS priority
FROM queue WHERE manifest_key = 0;
