-- API keys, apart from the log so that the command line may write them while the service runs. Forward only.
CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,        -- public, for `keys list` and `keys revoke`
    name       TEXT NOT NULL,           -- the caller that decisions are recorded under
    digest     BLOB NOT NULL UNIQUE,    -- SHA-256 of the whole key; the key itself is never stored
    roles      TEXT NOT NULL,           -- comma-separated
    flows      TEXT,                    -- comma-separated; NULL: every flow
    created_us INTEGER NOT NULL,
    revoked_us INTEGER                  -- NULL: in use
);
