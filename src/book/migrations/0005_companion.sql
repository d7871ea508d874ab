-- What a companion (a linked phone, another gateway) shall be told and was told, one row for each chat id, written in the
-- transaction of the edit that makes it necessary. Names are not in it, only fingerprints by which they are compared.

CREATE TABLE companion (
    only   INTEGER PRIMARY KEY CHECK (only = 1), -- there is a row while one is linked
    target BLOB    NOT NULL                      -- fingerprint of which one it is
) STRICT;

CREATE TABLE sync (
    chat_id      TEXT    PRIMARY KEY,
    contact_id   INTEGER,                -- null: the companion shall have no name for this chat id any more
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'acked', 'confirmed', 'awaiting_phone', 'failed')),
    revision     INTEGER NOT NULL,       -- with which this became the wish
    wish         BLOB,                   -- fingerprint of the name that it shall have, by its parts
    theirs       BLOB,                   -- fingerprint of the full name that it was last seen to have
    was_told     INTEGER NOT NULL DEFAULT 0, -- it may have a name that was not seen there yet
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER NOT NULL DEFAULT 0, -- not sent before this
    reason       TEXT,                   -- why it was not taken, one word
    acked_at     INTEGER,
    confirmed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_by_state ON sync (state, next_at, revision);
CREATE INDEX sync_by_contact ON sync (contact_id) WHERE contact_id IS NOT NULL;
