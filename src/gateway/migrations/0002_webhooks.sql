-- The webhooks of each instance: what is set. How far each has come stands in the instance's own book, so that it moves
-- with what it has read; here is what must be known at the start without opening ten thousand books.

CREATE TABLE webhook (
    id              TEXT    PRIMARY KEY,
    instance        TEXT    NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    url             TEXT    NOT NULL,
    secret          BLOB    NOT NULL,      -- sealed
    previous_secret BLOB,                  -- sealed; signs too until
    previous_until  INTEGER,
    types           INTEGER NOT NULL,      -- a bit for each
    state           TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    reason          TEXT,                  -- why it was disabled
    description     TEXT,
    epoch           BLOB    NOT NULL,      -- of the book, when it began
    began           INTEGER NOT NULL,      -- the book's revision, when it began
    version         INTEGER NOT NULL,      -- of these settings
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_by_instance ON webhook (instance);
