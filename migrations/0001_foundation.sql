-- The foundation. One text for SQLite and PostgreSQL: TEXT, BIGINT, SMALLINT, BOOLEAN and BYTEA only; times are Unix
-- milliseconds; ids are lower-case UUIDv7; *_key columns are case-folded; JSON is TEXT and never queried inside.

-- What there is once per deployment. `directory_revision` is raised by every transaction that changes who is in which
-- group or who was granted what (rules C2); `epoch` by a restore.
CREATE TABLE deployment (
    one                SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    id                 TEXT     NOT NULL,
    issuer             TEXT     NOT NULL,
    epoch              BIGINT   NOT NULL,
    directory_revision BIGINT   NOT NULL,
    master_key_id      TEXT     NOT NULL,
    master_key_check   BYTEA    NOT NULL,
    created_at         BIGINT   NOT NULL
);

-- ---- people ---------------------------------------------------------------------------------------------------------
CREATE TABLE person (
    id           TEXT   NOT NULL PRIMARY KEY,
    username     TEXT   NOT NULL,
    space_email  TEXT   NOT NULL,               -- the address that ODCM sends to Spaces (rules A8)
    display_name TEXT   NOT NULL,
    sort_key     TEXT   NOT NULL,               -- folded display name
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    version      BIGINT NOT NULL
);
CREATE INDEX person_sort ON person (sort_key, id);

-- Names and addresses that were ever sent to a Space: one owner each, former ones included (rules A8).
CREATE TABLE name_claim (
    kind      TEXT    NOT NULL,                 -- 'username' | 'email'
    name_key  TEXT    NOT NULL,
    person_id TEXT    NOT NULL REFERENCES person (id),
    held      BOOLEAN NOT NULL,                 -- false: former
    since     BIGINT  NOT NULL,
    PRIMARY KEY (kind, name_key)
);
CREATE INDEX name_claim_person ON name_claim (person_id);

-- Disabled is a set of reasons (rules C6): active means no row.
CREATE TABLE person_disabled (
    person_id TEXT   NOT NULL REFERENCES person (id),
    reason    TEXT   NOT NULL,                  -- 'manual' | 'provider:<id>' | …
    since     BIGINT NOT NULL,
    PRIMARY KEY (person_id, reason)
);

CREATE TABLE email (
    id          TEXT    NOT NULL PRIMARY KEY,
    person_id   TEXT    NOT NULL REFERENCES person (id),
    address     TEXT    NOT NULL,
    address_key TEXT    NOT NULL,
    verified_at BIGINT,
    created_at  BIGINT  NOT NULL,
    UNIQUE (person_id, address_key)
);
-- A verified address belongs to at most one person (rules C7).
CREATE UNIQUE INDEX email_verified ON email (address_key) WHERE verified_at IS NOT NULL;
CREATE INDEX email_key ON email (address_key);

CREATE TABLE identity (
    id           TEXT   NOT NULL PRIMARY KEY,
    person_id    TEXT   NOT NULL REFERENCES person (id),
    provider     TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    label        TEXT   NOT NULL,               -- what people read: an address or login name
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    UNIQUE (provider, subject)
);
CREATE INDEX identity_person ON identity (person_id);

CREATE TABLE password (
    person_id  TEXT   NOT NULL PRIMARY KEY REFERENCES person (id),
    phc        TEXT   NOT NULL,                 -- Argon2id in PHC string format
    changed_at BIGINT NOT NULL
);

-- `sub` is stored, not the primary key of the person (rules C7).
CREATE TABLE subject (
    person_id TEXT NOT NULL REFERENCES person (id),
    sector    TEXT NOT NULL,                    -- '' is the public sector
    sub       TEXT NOT NULL,
    PRIMARY KEY (person_id, sector),
    UNIQUE (sector, sub)
);

-- One-time links and codes: only the SHA-256 is stored.
CREATE TABLE one_time_link (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,                 -- 'set-password' | 'set-up'
    person_id  TEXT   REFERENCES person (id),
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL
);
CREATE INDEX one_time_link_person ON one_time_link (person_id);

-- ---- groups ---------------------------------------------------------------------------------------------------------
CREATE TABLE grp (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,                -- 'local' | 'external'
    name        TEXT   NOT NULL,
    name_key    TEXT   NOT NULL UNIQUE,
    description TEXT   NOT NULL,
    provider    TEXT,                           -- external: provider and its stable id
    external_id TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    UNIQUE (provider, external_id)
);

-- A membership is a set of assertions, each with its own source and end; the edge lives while one remains (rules C6).
CREATE TABLE membership (
    group_id    TEXT   NOT NULL REFERENCES grp (id),
    member_kind TEXT   NOT NULL,                -- 'person' | 'group'
    member_id   TEXT   NOT NULL,
    source      TEXT   NOT NULL,                -- 'manual' | 'directory:<id>' | 'rule:<id>'
    from_at     BIGINT,
    until_at    BIGINT,
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    PRIMARY KEY (group_id, member_kind, member_id, source)
);
CREATE INDEX membership_member ON membership (member_kind, member_id);
CREATE INDEX membership_from ON membership (from_at) WHERE from_at IS NOT NULL;
CREATE INDEX membership_until ON membership (until_at) WHERE until_at IS NOT NULL;

-- ---- Spaces ---------------------------------------------------------------------------------------------------------
CREATE TABLE space (
    id                TEXT    NOT NULL PRIMARY KEY,
    slug              TEXT    NOT NULL UNIQUE,
    name              TEXT    NOT NULL,
    name_key          TEXT    NOT NULL UNIQUE,
    description       TEXT    NOT NULL,
    base_url          TEXT    NOT NULL,          -- public URL, without a trailing slash; redirect URIs derive from it only
    client_id         TEXT    NOT NULL UNIQUE,
    offline_policy    TEXT    NOT NULL,          -- 'keep' | 'shut'
    revoke_api_keys   BOOLEAN NOT NULL,          -- rules A9
    secret_generation BIGINT  NOT NULL,
    installation_id   TEXT,                      -- set by the enrolment
    created_at        BIGINT  NOT NULL,
    updated_at        BIGINT  NOT NULL,
    version           BIGINT  NOT NULL
);

CREATE TABLE space_grant (
    id           TEXT   NOT NULL PRIMARY KEY,
    space_id     TEXT   NOT NULL REFERENCES space (id),
    subject_kind TEXT   NOT NULL,                -- 'person' | 'group'
    subject_id   TEXT   NOT NULL,
    from_at      BIGINT,
    until_at     BIGINT,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    UNIQUE (space_id, subject_kind, subject_id)
);
CREATE INDEX space_grant_subject ON space_grant (subject_kind, subject_id);
CREATE INDEX space_grant_from ON space_grant (from_at) WHERE from_at IS NOT NULL;
CREATE INDEX space_grant_until ON space_grant (until_at) WHERE until_at IS NOT NULL;

-- Groups published to a Space without granting entry (rules A3).
CREATE TABLE space_group (
    space_id   TEXT   NOT NULL REFERENCES space (id),
    group_id   TEXT   NOT NULL REFERENCES grp (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (space_id, group_id)
);

CREATE TABLE space_visit (
    person_id TEXT    NOT NULL REFERENCES person (id),
    space_id  TEXT    NOT NULL REFERENCES space (id),
    starred   BOOLEAN NOT NULL,
    last_at   BIGINT,
    PRIMARY KEY (person_id, space_id)
);

CREATE TABLE admin_right (
    id         TEXT   NOT NULL PRIMARY KEY,
    person_id  TEXT   NOT NULL REFERENCES person (id),
    role       TEXT   NOT NULL,                  -- 'owner' | 'auditor' | 'space-admin' | 'group-admin'
    scope_kind TEXT   NOT NULL,                  -- 'all' | 'space' | 'group'
    scope_id   TEXT   NOT NULL,                  -- '' for all
    until_at   BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    UNIQUE (person_id, role, scope_kind, scope_id)
);

-- ---- push -----------------------------------------------------------------------------------------------------------
CREATE TABLE agent (
    id               TEXT   NOT NULL PRIMARY KEY,
    space_id         TEXT   NOT NULL REFERENCES space (id),
    public_key       BYTEA  NOT NULL UNIQUE,
    installation_id  TEXT   NOT NULL,
    base_url         TEXT   NOT NULL,            -- as the agent reports it; never a redirect URI (rules B8)
    connection_epoch BIGINT NOT NULL,
    wire_floor       BIGINT NOT NULL,
    server_version   TEXT   NOT NULL,
    agent_version    TEXT   NOT NULL,
    capabilities     TEXT   NOT NULL,            -- JSON list
    created_at       BIGINT NOT NULL,
    node             TEXT,                       -- the process that holds the connection
    connected_at     BIGINT,                     -- null: not connected
    last_seen_at     BIGINT,                     -- written for all agents of a node at once, every heartbeat
    revoked_at       BIGINT
);
-- One active agent per Space (rules B5).
CREATE UNIQUE INDEX agent_active ON agent (space_id) WHERE revoked_at IS NULL;

CREATE TABLE enrolment_code (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    space_id   TEXT   NOT NULL REFERENCES space (id),
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL
);

-- Raised in the transaction of a change; the projector works while counter > projected (rules C3).
CREATE TABLE dirty_mark (
    space_id   TEXT   NOT NULL PRIMARY KEY REFERENCES space (id),
    counter    BIGINT NOT NULL,
    projected  BIGINT NOT NULL,
    marked_at  BIGINT NOT NULL,                  -- of the newest mark
    removals   BOOLEAN NOT NULL                  -- somebody may lose something: projected first (rules B1)
);
CREATE INDEX dirty_mark_pending ON dirty_mark (space_id) WHERE counter > projected;

-- Where each section stands: what is wanted and what the agent has acknowledged.
CREATE TABLE section (
    space_id        TEXT    NOT NULL REFERENCES space (id),
    section         TEXT    NOT NULL,            -- 'authentication' | 'access'
    epoch           BIGINT  NOT NULL,
    revision        BIGINT  NOT NULL,
    state           TEXT    NOT NULL,            -- JSON of the wanted state at `revision`
    state_digest    TEXT    NOT NULL,
    offline_policy  TEXT    NOT NULL,            -- as the documents of `revision` say it
    has_removals    BOOLEAN NOT NULL,
    committed_at    BIGINT  NOT NULL,            -- when the change that led to `revision` was marked
    projected_at    BIGINT  NOT NULL,
    acked_epoch     BIGINT  NOT NULL,
    acked_revision  BIGINT  NOT NULL,
    acked_digest    TEXT,
    acked_at        BIGINT,
    acked_ms        BIGINT,                      -- from committed_at to the stored acknowledgement
    failed_items    BIGINT  NOT NULL,
    seen_digest     TEXT,
    seen_at         BIGINT,
    PRIMARY KEY (space_id, section)
);

-- Signed documents as sent, bounded in number per section. A revision may exist as a delta and as a snapshot.
CREATE TABLE document (
    space_id   TEXT   NOT NULL REFERENCES space (id),
    section    TEXT   NOT NULL,
    epoch      BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    kind       TEXT   NOT NULL,                  -- 'snapshot' | 'delta'
    payload    TEXT   NOT NULL,
    key_id     TEXT   NOT NULL,
    signature  TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    committed_at BIGINT NOT NULL,                -- when the change that led to the revision was marked
    created_at BIGINT NOT NULL,
    PRIMARY KEY (space_id, section, epoch, revision, kind)
);

CREATE TABLE account_link (
    space_id         TEXT    NOT NULL REFERENCES space (id),
    person_id        TEXT    NOT NULL REFERENCES person (id),
    account_id       TEXT    NOT NULL,
    username         TEXT    NOT NULL,
    email            TEXT    NOT NULL,
    display_name     TEXT    NOT NULL,
    active           BOOLEAN NOT NULL,
    locally_disabled BOOLEAN NOT NULL,
    updated_at       BIGINT  NOT NULL,
    PRIMARY KEY (space_id, person_id),
    UNIQUE (space_id, account_id)
);
CREATE INDEX account_link_person ON account_link (person_id);

-- What an agent reported and an administrator decided about accounts that existed before (rules A6).
CREATE TABLE adoption (
    space_id    TEXT   NOT NULL REFERENCES space (id),
    person_id   TEXT   NOT NULL REFERENCES person (id),
    account_id  TEXT   NOT NULL,
    candidate   TEXT   NOT NULL,                 -- JSON of the wire's AdoptionCandidate
    decision    TEXT,                            -- JSON of the wire's AdoptionDecision
    decided_by  TEXT,
    decided_at  BIGINT,
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (space_id, person_id, account_id)
);

CREATE TABLE team_binding (
    space_id    TEXT   NOT NULL REFERENCES space (id),
    team_id     TEXT   NOT NULL,
    group_key   TEXT   NOT NULL,                 -- group id as the Space wrote it, folded
    binding     TEXT   NOT NULL,                 -- JSON of the wire's TeamBinding
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (space_id, team_id, group_key)
);

-- Managed accounts in a newly bound team that no bound group names (rules A3).
CREATE TABLE sweep (
    space_id     TEXT   NOT NULL REFERENCES space (id),
    team_id      TEXT   NOT NULL,
    sweep        TEXT   NOT NULL,                -- JSON of the wire's SweepCandidate
    confirmed_by TEXT,
    confirmed_at BIGINT,
    reported_at  BIGINT NOT NULL,
    PRIMARY KEY (space_id, team_id)
);

-- Newest state of every item that is not simply applied.
CREATE TABLE item_state (
    space_id   TEXT   NOT NULL REFERENCES space (id),
    section    TEXT   NOT NULL,
    item       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    message    TEXT,
    residual   TEXT   NOT NULL,                  -- JSON list
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (space_id, section, item)
);

-- What agents saw: drift, alarms, probes. Bounded by age and number.
CREATE TABLE space_event (
    id       TEXT   NOT NULL PRIMARY KEY,
    space_id TEXT   NOT NULL REFERENCES space (id),
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,                    -- 'drift' | 'alarm' | 'probe' | 'agent'
    detail   TEXT   NOT NULL                     -- JSON
);
CREATE INDEX space_event_space ON space_event (space_id, id);

-- ---- clients and tokens ---------------------------------------------------------------------------------------------
CREATE TABLE client (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,                 -- 'space' | 'confidential' | 'public'
    space_id   TEXT    UNIQUE REFERENCES space (id),
    name       TEXT    NOT NULL,
    settings   TEXT    NOT NULL,                 -- JSON: redirect URIs, grant types, scopes, algorithm, …
    enabled    BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    version    BIGINT  NOT NULL
);

-- At most two valid secrets per client, for rotation. Only the SHA-256 is stored.
CREATE TABLE client_secret (
    client_id  TEXT   NOT NULL REFERENCES client (id),
    hash       BYTEA  NOT NULL,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    proven_at  BIGINT,                           -- last correctly authenticated token request
    PRIMARY KEY (client_id, hash)
);

-- A confidential client that is restricted to groups (rules C1).
CREATE TABLE client_group (
    client_id TEXT NOT NULL REFERENCES client (id),
    group_id  TEXT NOT NULL REFERENCES grp (id),
    PRIMARY KEY (client_id, group_id)
);

CREATE TABLE signing_key (
    kid        TEXT   NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,                  -- 'token' | 'fleet'
    alg        TEXT   NOT NULL,                  -- 'RS256' | 'ES256' | 'EdDSA'
    state      TEXT   NOT NULL,                  -- 'next' | 'active' | 'retired'
    sealed     BYTEA  NOT NULL,                  -- private key, sealed under the master key
    public_key TEXT   NOT NULL,                  -- JWK as JSON
    created_at BIGINT NOT NULL,
    active_at  BIGINT,
    retired_at BIGINT,
    expires_at BIGINT                            -- after which it leaves the key set
);

-- ---- sign-in --------------------------------------------------------------------------------------------------------
CREATE TABLE session (
    id              TEXT   NOT NULL PRIMARY KEY,
    hash            BYTEA  NOT NULL UNIQUE,      -- SHA-256 of the cookie
    person_id       TEXT   NOT NULL REFERENCES person (id),
    authentications TEXT   NOT NULL,             -- JSON list of method, time, identity (rules C8)
    created_at      BIGINT NOT NULL,
    last_seen_at    BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    address         TEXT,
    user_agent      TEXT
);
CREATE INDEX session_person ON session (person_id);
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE client_session (
    sid        TEXT   NOT NULL PRIMARY KEY,
    session_id TEXT   NOT NULL REFERENCES session (id),
    client_id  TEXT   NOT NULL REFERENCES client (id),
    created_at BIGINT NOT NULL,
    UNIQUE (session_id, client_id)
);

-- A sign-in under way: one persisted state, one dispatcher.
CREATE TABLE login (
    hash       BYTEA  NOT NULL PRIMARY KEY,      -- SHA-256 of the flow id in the address and the browser's cookie
    state      TEXT   NOT NULL,                  -- JSON of core::login
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_expires ON login (expires_at);

-- Failures only (rules D1). Keys are hashes of name or address.
CREATE TABLE throttle (
    key        BYTEA  NOT NULL PRIMARY KEY,
    failures   BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Devices on which a person signed in before: their own lane (rules D1).
CREATE TABLE known_device (
    hash       BYTEA  NOT NULL,
    person_id  TEXT   NOT NULL REFERENCES person (id),
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (hash, person_id)
);

CREATE TABLE auth_code (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL REFERENCES client (id),
    person_id  TEXT   NOT NULL REFERENCES person (id),
    session_id TEXT   NOT NULL REFERENCES session (id),
    family     TEXT   NOT NULL,                  -- of everything issued for it
    data       TEXT   NOT NULL,                  -- JSON: redirect URI, scope, nonce, challenge, auth_time, …
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX auth_code_person ON auth_code (person_id, client_id);
CREATE INDEX auth_code_expires ON auth_code (expires_at);

-- Everything issued for one code or one refresh family; revoked as one.
CREATE TABLE token_family (
    id         TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL REFERENCES client (id),
    person_id  TEXT   NOT NULL REFERENCES person (id),
    session_id TEXT   NOT NULL REFERENCES session (id),
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX token_family_person ON token_family (person_id, client_id);
CREATE INDEX token_family_session ON token_family (session_id);
CREATE INDEX token_family_expires ON token_family (expires_at);

CREATE TABLE refresh_token (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    family     TEXT   NOT NULL REFERENCES token_family (id),
    data       TEXT   NOT NULL,                  -- JSON: scope, auth_time, nonce, …
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX refresh_token_family ON refresh_token (family);

-- Access tokens that were revoked one by one before they expired.
CREATE TABLE revoked_token (
    jti        TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_token_expires ON revoked_token (expires_at);

CREATE TABLE consent (
    person_id  TEXT   NOT NULL REFERENCES person (id),
    client_id  TEXT   NOT NULL REFERENCES client (id),
    scope      TEXT   NOT NULL,                  -- space-separated, sorted
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, client_id)
);

-- ---- administration -------------------------------------------------------------------------------------------------
CREATE TABLE api_token (
    id           TEXT   NOT NULL PRIMARY KEY,
    hash         BYTEA  NOT NULL UNIQUE,
    person_id    TEXT   NOT NULL REFERENCES person (id),
    name         TEXT   NOT NULL,
    scopes       TEXT   NOT NULL,                -- JSON of core::policy::TokenScopes
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_token_person ON api_token (person_id);

CREATE TABLE audit (
    id          TEXT   NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor_kind  TEXT   NOT NULL,                 -- 'person' | 'token' | 'host' | 'system' | 'agent' | 'nobody'
    actor_id    TEXT,
    actor_name  TEXT   NOT NULL,
    address     TEXT,
    request_id  TEXT,
    action      TEXT   NOT NULL,                 -- 'grant.add', 'person.disable', …
    object_kind TEXT   NOT NULL,
    object_id   TEXT   NOT NULL,
    object_name TEXT   NOT NULL,
    other_id    TEXT,                            -- the other object: who came into the group, who was granted the Space
    space_id    TEXT,                            -- the Space it concerns, if one
    before      TEXT,                            -- JSON, never a secret
    after       TEXT
);
CREATE INDEX audit_object ON audit (object_kind, object_id, id);
CREATE INDEX audit_other ON audit (other_id, id) WHERE other_id IS NOT NULL;
CREATE INDEX audit_space ON audit (space_id, id) WHERE space_id IS NOT NULL;

CREATE TABLE job (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    dedup_key   TEXT   NOT NULL,
    payload     TEXT   NOT NULL,
    run_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    generation  BIGINT NOT NULL,                 -- raised by each lease; writes of the holder check it
    holder      TEXT,
    last_error  TEXT,
    failed_at   BIGINT,
    UNIQUE (kind, dedup_key)
);
CREATE INDEX job_due ON job (run_at) WHERE failed_at IS NULL;

CREATE TABLE lease (
    name       TEXT   NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL,
    until_at   BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

-- Up to which instant time-driven work is done: the scheduler of ends and beginnings.
CREATE TABLE time_cursor (
    name TEXT   NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL
);
