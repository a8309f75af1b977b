-- Each fleet key names its successor (rules B3): signed by the one before, kept for agents that were away.
CREATE TABLE fleet_succession (
    previous_kid TEXT   NOT NULL PRIMARY KEY,
    next_kid     TEXT   NOT NULL UNIQUE,
    payload      TEXT   NOT NULL,                -- as signed
    signature    TEXT   NOT NULL,                -- Base64, by previous_kid
    created_at   BIGINT NOT NULL
);
