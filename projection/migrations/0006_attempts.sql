-- How often an asset has been tried in vain, and when it is tried again. A worker takes no further
-- part in that wait: its workflow has the timer.

ALTER TABLE asset
    ADD attempts int NOT NULL DEFAULT 0,    -- in vain, since it was sent or retried
    ADD last_fault text,                    -- of the last of them
    ADD next_attempt timestamptz;           -- while it waits for another try
