-- The book in motion: when each field was last written, so that what arrives late takes its place in time; what is known
-- of LIDs and phones; where contacts went that became one with another; names that were saved before.

ALTER TABLE contact ADD COLUMN first_revision INTEGER NOT NULL DEFAULT 0;  -- with which the contact came into the book
ALTER TABLE contact ADD COLUMN times TEXT;       -- JSON object: field → when it was last written; names have their own
-- The newest saved names that were replaced, newest first, a line of JSON each: [first, last, saved_at, source, revision]. Last, and
-- in the contact's own row: a rename touches no other page for it, and whoever lists contacts does not read it.
ALTER TABLE contact ADD COLUMN earlier TEXT;

UPDATE contact SET first_revision = revision;

ALTER TABLE book ADD COLUMN has_lids INTEGER NOT NULL DEFAULT 0;           -- 1 when a LID was ever stored
UPDATE book SET has_lids = EXISTS (SELECT 1 FROM contact WHERE lid IS NOT NULL);

-- Every mapping that was ever reported, with the newest time at which it was.
CREATE TABLE mapping (
    lid        TEXT    NOT NULL,
    phone      TEXT    NOT NULL,
    current    INTEGER NOT NULL,         -- 1 when nothing newer is known of this LID nor of this phone
    learned_at INTEGER NOT NULL,
    source     TEXT    NOT NULL,
    PRIMARY KEY (lid, phone)
) STRICT, WITHOUT ROWID;

CREATE INDEX mapping_by_phone ON mapping (phone);
CREATE UNIQUE INDEX mapping_now_by_lid ON mapping (lid) WHERE current = 1;
CREATE UNIQUE INDEX mapping_now_by_phone ON mapping (phone) WHERE current = 1;

INSERT INTO mapping
    SELECT c.lid, c.phone, 1, i.learned_at, i.source
    FROM contact c JOIN identity i ON i.chat_id = c.lid || '@lid' WHERE c.phone IS NOT NULL AND c.lid IS NOT NULL;

-- The numbers of a contact that became one with another still lead to somebody.
CREATE TABLE alias (
    contact_id INTEGER PRIMARY KEY,
    uuid       BLOB    NOT NULL UNIQUE,
    survivor   INTEGER NOT NULL REFERENCES contact (id)
) STRICT;

CREATE INDEX alias_by_survivor ON alias (survivor);

-- When a chat id was last deleted: what was seen before that does not bring it back.
CREATE TABLE deletion (
    chat_id    TEXT    PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX deletion_by_age ON deletion (deleted_at);
CREATE INDEX tombstone_by_age ON tombstone (deleted_at);
