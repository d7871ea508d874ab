-- Which instances exist and which access tokens open them. The tokens themselves are not here, only keyed hashes.

CREATE TABLE instance (
    id         TEXT    PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id           TEXT    PRIMARY KEY,
    instance     TEXT    NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    hash         BLOB    NOT NULL UNIQUE,
    label        TEXT,
    scopes       TEXT    NOT NULL,      -- words, a space between
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_by_instance ON token (instance);
