-- What assets in process are about to add to the store counts in their customer's quota. (Locks: a
-- customer, where one is locked, comes before all else.)

ALTER TABLE claim ADD bytes bigint NOT NULL DEFAULT 0;  -- that the asset's derivatives grow by

DROP FUNCTION room_bytes(int, jsonb);
