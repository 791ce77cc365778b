-- The central log: what every node has recorded. Forward only.

-- Decisions. The key is a UUIDv7, so ranges of it are ranges of time, and ON CONFLICT holds across partitions.
CREATE TABLE public.decision (
    decision_id  uuid PRIMARY KEY,
    node         uuid NOT NULL,         -- (node, epoch, sequence): the place in its node's log
    epoch        bigint NOT NULL,
    sequence     bigint NOT NULL,
    decided_at   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    arrived_at   timestamptz NOT NULL DEFAULT now(),
    caller       text,
    flow         text,
    market       text,
    outcome      text,
    reasons      text[] NOT NULL,       -- codes, by rank
    rules        text[] NOT NULL,       -- that hit
    models       text[] NOT NULL,       -- that answered: name, name@version, digest
    reference    text,                  -- the caller's own id
    subject      bytea,                 -- keyed hash of whom it is about
    revision     text,
    degraded     boolean NOT NULL,
    durable      smallint NOT NULL,     -- what the answer waited for: 0 memory, 1 local, 2 central
    duplicate_of uuid,                  -- another replica answered the same idempotency key first
    public       text NOT NULL,         -- canonical JSON without personal data
    personal     text,                  -- canonical JSON of the facts and all that reveals them
    salt         bytea,
    commitment   bytea NOT NULL,        -- SHA-256(salt || canonical record)
    leaf         bytea NOT NULL,        -- RFC 6962 leaf hash of the part without personal data
    previous     bytea NOT NULL,        -- chain hash of the record before it in its node's log
    chain        bytea NOT NULL         -- this one's: binds previous, place and leaf
) PARTITION BY RANGE (decision_id);
-- Catches what no month's partition covers; rows in it are counted by a metric.
CREATE TABLE public.decision_default PARTITION OF public.decision DEFAULT;
CREATE INDEX decision_flow ON public.decision (flow, decision_id);
CREATE INDEX decision_reference ON public.decision (reference, decision_id) WHERE reference IS NOT NULL;
CREATE INDEX decision_subject ON public.decision (subject, decision_id) WHERE subject IS NOT NULL;
CREATE INDEX decision_position ON public.decision (node, epoch, sequence);
CREATE INDEX decision_lists ON public.decision USING gin (reasons, rules, models);

-- Refusals (1), releases (2) and reads (3): entries of the same logs.
CREATE TABLE public.entry (
    id          uuid PRIMARY KEY,
    kind        smallint NOT NULL,
    node        uuid NOT NULL,
    epoch       bigint NOT NULL,
    sequence    bigint NOT NULL,
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    arrived_at  timestamptz NOT NULL DEFAULT now(),
    caller      text,
    flow        text,
    market      text,
    outcome     text,
    reasons     text[] NOT NULL,        -- of a refusal: the problem's codes
    rules       text[] NOT NULL,
    models      text[] NOT NULL,
    reference   text,
    subject     bytea,
    revision    text,
    degraded    boolean NOT NULL,
    durable     smallint NOT NULL,
    duplicate_of uuid,
    public      text NOT NULL,
    personal    text,
    salt        bytea,
    commitment  bytea NOT NULL,
    leaf        bytea NOT NULL,
    previous    bytea NOT NULL,
    chain       bytea NOT NULL
);
CREATE INDEX entry_kind ON public.entry (kind, id);
CREATE INDEX entry_position ON public.entry (node, epoch, sequence);

-- How far each node's log has arrived; moved in the transaction that inserts the records.
CREATE TABLE public.ship_cursor (
    node     uuid PRIMARY KEY,
    position bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);

-- Records that Postgres would not take, as bytes, so that they never block the line.
CREATE TABLE public.set_aside (
    id       uuid PRIMARY KEY,
    node     uuid NOT NULL,
    position bigint NOT NULL,
    reason   text NOT NULL,             -- SQLSTATE, or `encoding`
    bytes    bytea NOT NULL,            -- the row as JSON
    at       timestamptz NOT NULL DEFAULT now()
);

-- One first decision per (caller, flow, key) while the key is remembered.
CREATE TABLE public.idempotency (
    caller         text NOT NULL,
    flow           text NOT NULL,
    key            text NOT NULL,
    request_digest bytea NOT NULL,
    decision_id    uuid NOT NULL,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (caller, flow, key)
);
CREATE INDEX idempotency_expires ON public.idempotency (expires_at);

-- Files of revisions, content-addressed.
CREATE TABLE public.blob (
    digest bytea PRIMARY KEY,           -- SHA-256 of the bytes
    bytes  bytea NOT NULL
);
CREATE TABLE public.revision (
    revision text PRIMARY KEY,
    first_at timestamptz NOT NULL
);
CREATE TABLE public.revision_file (
    revision text NOT NULL,
    flow     text NOT NULL,             -- '' for files that belong to no single flow
    path     text NOT NULL,
    digest   bytea NOT NULL REFERENCES public.blob (digest),
    PRIMARY KEY (revision, flow, path)
);

-- API keys: SHA-256 of the key, never the key.
CREATE TABLE public.api_key (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    digest     bytea NOT NULL UNIQUE,
    roles      text NOT NULL,
    flows      text,
    created_us bigint NOT NULL,
    revoked_us bigint
);

-- Keys of the subject hash. The oldest is used for writing, all of them for searching.
CREATE TABLE public.subject_key (
    key      bytea PRIMARY KEY,
    added_at timestamptz NOT NULL DEFAULT now()
);
