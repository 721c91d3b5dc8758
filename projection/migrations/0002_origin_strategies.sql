-- How originals are fetched, and what workers wait for. (Where a first schema was used that had
-- some of this already, the rest is added.)

ALTER TABLE worker ADD COLUMN IF NOT EXISTS
    trouble text;                       -- what its work waits for, such as room on a disk

-- How originals are fetched: the first whose expression matches the origin's URL.
CREATE TABLE IF NOT EXISTS origin_strategy (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customer ON DELETE CASCADE,
    position int NOT NULL,
    regex text NOT NULL,
    strategy text NOT NULL,
    credentials bytea                   -- sealed
);

CREATE INDEX IF NOT EXISTS origin_strategy_customer
    ON origin_strategy (customer_id, position, id);

-- A customer's, in the order in which they are tried.
CREATE FUNCTION origin_strategies(customer int) RETURNS json LANGUAGE sql STABLE
    RETURN (SELECT json_agg(json_build_object('regex', regex, 'strategy', strategy,
            'credentials', encode(credentials, 'base64')) ORDER BY position, id)
        FROM origin_strategy WHERE customer_id = customer);
