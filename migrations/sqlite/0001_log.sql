-- The local log: what this node has recorded, in the order in which it recorded it. Forward only.

-- Single values: `node` (this log's stable random id), `subject_key` (key of the subject hash),
-- `in_force` (the last revision that came into force here).
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- One row per start of the process; sequences are contiguous within one epoch.
CREATE TABLE epoch (
    epoch     INTEGER PRIMARY KEY,
    opened_us INTEGER NOT NULL          -- microseconds since 1970
);

-- The narrow half of a record: what is searched and what the chain is made of.
CREATE TABLE entry (
    position    INTEGER PRIMARY KEY,    -- order in this file; the shipper follows it
    kind        INTEGER NOT NULL,       -- 0 decision, 1 refusal, 2 release, 3 read
    id          BLOB NOT NULL,          -- UUIDv7: sorts by time
    epoch       INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,       -- contiguous per epoch, from 1
    at_us       INTEGER NOT NULL,       -- when it was decided, refused, switched, read
    recorded_us INTEGER NOT NULL,       -- when the writer took it
    caller      TEXT,
    flow        TEXT,
    market      TEXT,
    outcome     TEXT,
    reasons     TEXT,                   -- codes, each between U+001F, in rank order; also `rules` (that hit) and `models`
    rules       TEXT,
    models      TEXT,
    reference   TEXT,                   -- the caller's own id
    subject     BLOB,                   -- keyed hash of whom it is about
    revision    TEXT,
    key         TEXT,                   -- idempotency key and SHA-256 of its request, for the shipper
    request_digest BLOB,
    degraded    INTEGER NOT NULL,       -- 0 or 1
    durable     INTEGER NOT NULL,       -- what the answer waited for: 0 memory, 1 local, 2 central
    commitment  BLOB NOT NULL,          -- SHA-256(salt || canonical record)
    leaf        BLOB NOT NULL,          -- RFC 6962 leaf hash of the part without personal data
    previous    BLOB NOT NULL,          -- chain hash of the record before this one
    chain       BLOB NOT NULL           -- this one's: binds previous, place and leaf
);
CREATE UNIQUE INDEX entry_id ON entry (id);
CREATE INDEX entry_reference ON entry (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX entry_subject ON entry (subject, id) WHERE subject IS NOT NULL;
-- Refusals, releases and reads are few beside decisions: theirs is the only index by kind.
CREATE INDEX entry_other ON entry (kind, id) WHERE kind > 0;

-- The wide half, apart so that a search does not read it.
CREATE TABLE body (
    position INTEGER PRIMARY KEY,
    public   TEXT NOT NULL,             -- canonical JSON without personal data
    personal TEXT,                      -- canonical JSON of the facts and all that reveals them
    salt     BLOB
);

-- One decision per (caller, flow, key) while the key is remembered.
CREATE TABLE idempotency (
    caller         TEXT NOT NULL,
    flow           TEXT NOT NULL,
    key            TEXT NOT NULL,
    request_digest BLOB NOT NULL,       -- SHA-256 of the request as JSON values
    decision_id    BLOB NOT NULL,
    expires_us     INTEGER NOT NULL,
    PRIMARY KEY (caller, flow, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_expires ON idempotency (expires_us);

-- Where retention cut the log: everything up to this position is gone, and that is no gap.
CREATE TABLE cut (
    position INTEGER PRIMARY KEY,
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    chain    BLOB NOT NULL,             -- chain hash of the last record that was removed
    cut_us   INTEGER NOT NULL
);

-- Files of revisions, content-addressed.
CREATE TABLE blob (
    digest BLOB PRIMARY KEY,            -- SHA-256 of the bytes
    bytes  BLOB NOT NULL
);
CREATE TABLE revision (
    revision TEXT PRIMARY KEY,
    first_us INTEGER NOT NULL,          -- when it was first stored here
    shipped  INTEGER NOT NULL DEFAULT 0 -- 1 once Postgres has it
) WITHOUT ROWID;
CREATE TABLE revision_file (
    revision TEXT NOT NULL,
    flow     TEXT NOT NULL,             -- '' for files that belong to no single flow
    path     TEXT NOT NULL,
    digest   BLOB NOT NULL,
    PRIMARY KEY (revision, flow, path)
) WITHOUT ROWID;
