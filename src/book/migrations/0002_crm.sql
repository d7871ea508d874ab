-- What CRMs keep: groups with their members, sources, statuses; the e-mail by which duplicates are found; and the
-- idempotency keys of the last day.

CREATE TABLE groups (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL UNIQUE,  -- the name, folded
    color      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sources (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL UNIQUE,
    color      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE statuses (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL UNIQUE,
    color      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A new book has one of each that a contact must have in WA.cr, so that the documented create works at once.
INSERT INTO sources VALUES (1, 'api', 'api', NULL, CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER));
INSERT INTO statuses VALUES (1, 'New', 'new', '#3B82F6', CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER));

ALTER TABLE contact ADD COLUMN source_id INTEGER;
ALTER TABLE contact ADD COLUMN status_id INTEGER;
ALTER TABLE contact ADD COLUMN groups    TEXT;   -- JSON array of group ids, ascending
ALTER TABLE contact ADD COLUMN email_key TEXT;   -- the e-mail, folded

UPDATE contact SET email_key = lower(email) WHERE email IS NOT NULL;

CREATE INDEX contact_by_email ON contact (email_key) WHERE email_key IS NOT NULL;

-- The column `groups` turned round, for "who is in this group".
CREATE TABLE membership (
    group_id   INTEGER NOT NULL,
    contact_id INTEGER NOT NULL,
    PRIMARY KEY (group_id, contact_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_by_contact ON membership (contact_id);

CREATE TABLE idempotency (
    key         TEXT    PRIMARY KEY,
    fingerprint BLOB    NOT NULL,        -- of the request that used the key first
    change      TEXT    NOT NULL,
    contact_id  INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    used_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (used_at);
