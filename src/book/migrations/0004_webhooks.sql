-- How far each webhook has come, and what it could not be told. Beside the rows that it reads, so that a copy of the book
-- knows what of that copy was delivered.

CREATE TABLE webhook (
    id         TEXT    PRIMARY KEY,
    generation INTEGER NOT NULL,           -- moves when somebody sets it back: what was on its way is then stale
    settings   INTEGER NOT NULL,           -- the version of them with which it came so far
    epoch      BLOB    NOT NULL,           -- of the book to which these revisions belong
    cursor     INTEGER NOT NULL,           -- everything up to this revision was told, or given up
    settled    INTEGER NOT NULL,           -- who came into the book up to this revision was told of
    missed     INTEGER,                    -- deletions up to this revision were forgotten before they were told
    head       INTEGER,                    -- the event that failed last, by its revision
    tries      INTEGER NOT NULL,           -- how often that event has failed
    failures   INTEGER NOT NULL,           -- how often in a row anything has
    next_at    INTEGER,                    -- when it is tried again
    last_at    INTEGER,
    last_status INTEGER,
    last_error TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    webhook    TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    event_id   TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    contact_id INTEGER NOT NULL,
    tries      INTEGER NOT NULL,
    error      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    again      INTEGER NOT NULL,           -- 1 when it is to be tried once more
    PRIMARY KEY (webhook, revision)
) STRICT, WITHOUT ROWID;
