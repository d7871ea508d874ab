-- The first book: contacts with all their names, the chat ids that lead to them, tombstones of deleted ones, and the
-- counters that every commit moves together.

CREATE TABLE book (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    epoch    BLOB    NOT NULL,           -- UUID, drawn once
    revision INTEGER NOT NULL,           -- of the newest change
    contacts INTEGER NOT NULL,           -- live rows in contact
    last_id  INTEGER NOT NULL,           -- newest contact id given out; ids are never reused
    pruned   INTEGER NOT NULL            -- tombstones up to this revision are gone
) STRICT;

CREATE TABLE contact (
    id                 INTEGER PRIMARY KEY,
    uuid               BLOB    NOT NULL UNIQUE,
    phone              TEXT,
    lid                TEXT,
    first              TEXT,
    last               TEXT,
    saved_at           INTEGER,
    saved_source       TEXT,
    push               TEXT,
    push_at            INTEGER,
    push_source        TEXT,
    business           TEXT,
    business_at        INTEGER,
    business_source    TEXT,
    email              TEXT,
    company            TEXT,
    description        TEXT,
    city               TEXT,
    state              TEXT,
    zip                TEXT,
    address            TEXT,
    country_code       TEXT,
    country_id         INTEGER,
    assigned_id        INTEGER,
    kind               TEXT,
    tags               TEXT,             -- JSON array of strings
    labels             TEXT,             -- JSON array of strings
    params             TEXT,             -- JSON object
    opted_in           INTEGER,
    blocked            INTEGER NOT NULL,
    last_message_at    INTEGER,
    conversation_count INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    sort_key           TEXT    NOT NULL, -- the shown name, folded
    search_key         TEXT    NOT NULL, -- everything that search looks into, folded, a line each
    CHECK (phone IS NOT NULL OR lid IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX contact_by_revision ON contact (revision);
CREATE INDEX contact_by_name ON contact (sort_key);

CREATE TABLE identity (
    chat_id    TEXT    PRIMARY KEY,
    contact_id INTEGER NOT NULL REFERENCES contact (id),
    kind       TEXT    NOT NULL CHECK (kind IN ('phone', 'lid')),
    shown      INTEGER NOT NULL,         -- 1 for the one chat id by which the contact is listed
    learned_at INTEGER NOT NULL,
    source     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_by_contact ON identity (contact_id);

CREATE TABLE tombstone (
    revision   INTEGER PRIMARY KEY,
    contact_id INTEGER NOT NULL,
    uuid       BLOB    NOT NULL,
    phone      TEXT,
    lid        TEXT,
    merged_into INTEGER,                 -- contact id of the survivor, when two contacts became one
    deleted_at INTEGER NOT NULL
) STRICT;
