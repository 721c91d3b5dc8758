-- What a customer has in the store, by space, and the quota that bounds it.

ALTER TABLE customer
    ADD quota_assets bigint,                -- the most assets, and the most bytes of derivatives,
    ADD quota_bytes bigint;                 -- that they may have; null: no bound

ALTER TABLE space ADD bytes bigint NOT NULL DEFAULT 0;  -- of its assets' derivatives

CREATE FUNCTION stored_bytes(derivatives jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN (SELECT coalesce(sum((d ->> 'bytes')::bigint), 0) FROM jsonb_array_elements(derivatives) d);

-- What the quota leaves for an asset that already has these derivatives; null: no bound.
CREATE FUNCTION room_bytes(customer int, derivatives jsonb) RETURNS bigint LANGUAGE sql STABLE
    RETURN (SELECT c.quota_bytes - sum(s.bytes) + stored_bytes(derivatives)
        FROM customer c JOIN space s ON s.customer_id = c.id
        WHERE c.id = customer AND c.quota_bytes IS NOT NULL GROUP BY c.quota_bytes)::bigint;

LOCK TABLE asset IN SHARE MODE;
UPDATE space s SET bytes = c.bytes
FROM (
    SELECT customer_id, space_id, sum(stored_bytes(derivatives)) AS bytes FROM asset GROUP BY 1, 2
) c
WHERE (s.customer_id, s.id) = (c.customer_id, c.space_id);

CREATE OR REPLACE FUNCTION asset_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    PERFORM FROM space WHERE (customer_id, id) IN (SELECT customer_id, space_id FROM changed)
        ORDER BY customer_id, id FOR NO KEY UPDATE;
    UPDATE space s SET assets = s.assets + sign * c.assets, bytes = s.bytes + sign * c.bytes
    FROM (
        SELECT customer_id, space_id, count(*) AS assets, sum(stored_bytes(derivatives)) AS bytes
        FROM changed GROUP BY 1, 2
    ) c
    WHERE s.customer_id = c.customer_id AND s.id = c.space_id;
    RETURN NULL;
END $$;

CREATE FUNCTION asset_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE space SET bytes = bytes + stored_bytes(NEW.derivatives) - stored_bytes(OLD.derivatives)
    WHERE customer_id = NEW.customer_id AND id = NEW.space_id;
    RETURN NULL;
END $$;

CREATE TRIGGER asset_stored AFTER UPDATE OF derivatives ON asset
    FOR EACH ROW WHEN (OLD.derivatives <> NEW.derivatives) EXECUTE FUNCTION asset_stored();

-- What an asset had in the store, and has no more by other policies, is left to a deletion: only
-- once the change is recorded, and surely then.
CREATE FUNCTION asset_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deletion (customer_id, space_id, asset_id, derivatives)
    SELECT OLD.customer_id, OLD.space_id, OLD.id, OLD.derivatives
    WHERE EXISTS (SELECT FROM jsonb_array_elements(OLD.derivatives) d
        WHERE NOT NEW.derivatives @> jsonb_build_array(jsonb_build_object('key', d -> 'key')));
    RETURN NULL;
END $$;

CREATE TRIGGER asset_left AFTER UPDATE OF derivatives ON asset
    FOR EACH ROW WHEN (OLD.derivatives <> NEW.derivatives) EXECUTE FUNCTION asset_left();
