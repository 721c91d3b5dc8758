-- counters: of one queue, main and priority
SELECT
    coalesce(sum(waiting + processing) FILTER (WHERE kind = 'main'), 0)::bigint AS size,
    coalesce(sum(waiting) FILTER (WHERE kind = 'main'), 0)::bigint AS images_waiting,
    coalesce(sum(batches_waiting) FILTER (WHERE kind = 'main'), 0)::bigint AS batches_waiting,
    coalesce(sum(batches), 0)::bigint AS batches,
    coalesce(sum(batches_active), 0)::bigint AS batches_active,
    coalesce(sum(batches_recent), 0)::bigint AS batches_recent
FROM queue WHERE customer_id = %(customer_id)s AND manifest_key = %(manifest_key)s;

-- everywhere: assets on the queues of all customers
SELECT
    coalesce(sum(waiting + processing) FILTER (WHERE kind = 'main'), 0)::bigint AS incoming,
    coalesce(sum(waiting + processing) FILTER (WHERE kind = 'priority'), 0)::bigint AS priority
FROM queue WHERE manifest_key = 0;
