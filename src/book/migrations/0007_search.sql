-- What search looks into moves out of the wide rows into packs that can be gone through at the speed of memory. The
-- packs of a book that is older than this are made when it is opened, since only Rust can fold.

ALTER TABLE contact DROP COLUMN search_key;

CREATE TABLE search_pack (
    place    INTEGER PRIMARY KEY,        -- contact id / 64
    contacts INTEGER NOT NULL,           -- how many of the sixty-four there are
    keys     BLOB    NOT NULL            -- `book::search` tells its shape
) STRICT;

-- What changed since and is not in the packs yet, a row for each transaction.
CREATE TABLE search_late (
    number   INTEGER PRIMARY KEY,
    changes  INTEGER NOT NULL,
    keys     BLOB    NOT NULL
) STRICT;

-- Who was silent stands before all others. `book::list` sorts by the same words.
CREATE INDEX contact_by_last_message ON contact (coalesce(last_message_at, -9223372036854775808));
