-- page: in the order in which they are tried
SELECT id, position, regex, strategy, credentials IS NOT NULL AS has_credentials
FROM origin_strategy WHERE customer_id = %(customer_id)s
ORDER BY position {up}, id {up} LIMIT %(limit)s OFFSET %(offset)s;

-- count: a customer has few, see most
SELECT count(*) FROM origin_strategy WHERE customer_id = %(customer_id)s;

-- get: one of a customer
SELECT id, position, regex, strategy, credentials IS NOT NULL AS has_credentials
FROM origin_strategy WHERE customer_id = %(customer_id)s AND id = %(id)s;

-- lock_customer: one creation at a time, so that their number stays bounded
SELECT id FROM customer WHERE id = %(customer_id)s FOR NO KEY UPDATE;

-- create: a new one
INSERT INTO origin_strategy (customer_id, position, regex, strategy, credentials)
VALUES (%(customer_id)s, %(position)s, %(regex)s, %(strategy)s, %(credentials)s)
RETURNING id, position, regex, strategy, credentials IS NOT NULL AS has_credentials;

-- put: replaces one; credentials that are not sent again stay, unless for another strategy
UPDATE origin_strategy SET position = %(position)s, regex = %(regex)s, strategy = %(strategy)s,
    credentials = CASE WHEN strategy = %(strategy)s
        THEN coalesce(%(credentials)s, credentials) ELSE %(credentials)s END
WHERE customer_id = %(customer_id)s AND id = %(id)s
RETURNING id, position, regex, strategy, credentials IS NOT NULL AS has_credentials;

-- delete: with its credentials
DELETE FROM origin_strategy WHERE customer_id = %(customer_id)s AND id = %(id)s RETURNING id;
