-- Providers that vouch for people.
CREATE TABLE provider (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,              -- on buttons
    settings      TEXT    NOT NULL,              -- kind and what belongs to it
    domains       TEXT    NOT NULL,              -- it is authoritative for these (rules D3)
    creation      TEXT    NOT NULL,              -- who becomes a person by signing in
    authoritative BOOLEAN NOT NULL,              -- its "disabled" disables the person (rules C6)
    enabled       BOOLEAN NOT NULL,
    secret        BYTEA,                         -- sealed
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL,
    version       BIGINT  NOT NULL
);

-- A one-time link with which somebody joins an identity of theirs to the person that was made for them.
CREATE TABLE invitation (
    hash     BYTEA NOT NULL PRIMARY KEY REFERENCES one_time_link (hash) ON DELETE CASCADE,
    provider TEXT  NOT NULL,
    email    TEXT  NOT NULL,
    tenant   TEXT                                -- the organisation inside the provider, if the administrator named it
);

-- Identities that wait for an administrator: who is proven is known, whose it is is not.
CREATE TABLE identity_request (
    id         TEXT   NOT NULL PRIMARY KEY,
    provider   TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    label      TEXT   NOT NULL,
    said       TEXT   NOT NULL,                  -- what the provider said
    person_id  TEXT   REFERENCES person (id),    -- whom it was meant for, if anybody
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,                  -- the last attempt
    decision   TEXT,                             -- 'joined' | 'created' | 'refused'
    decided_at BIGINT,
    decided_by TEXT
);
-- One open request for each identity.
CREATE UNIQUE INDEX identity_request_open ON identity_request (provider, subject) WHERE decision IS NULL;
CREATE INDEX identity_request_person ON identity_request (person_id);

-- Two people who turned out to be one: what was moved, so that it can be moved back.
CREATE TABLE person_join (
    id        TEXT   NOT NULL PRIMARY KEY,
    kept      TEXT   NOT NULL REFERENCES person (id),
    gone      TEXT   NOT NULL REFERENCES person (id),
    moved     TEXT   NOT NULL,
    joined_at BIGINT NOT NULL,
    joined_by TEXT   NOT NULL,
    undone_at BIGINT,
    undone_by TEXT
);
CREATE INDEX person_join_kept ON person_join (kept);
CREATE INDEX person_join_gone ON person_join (gone);
