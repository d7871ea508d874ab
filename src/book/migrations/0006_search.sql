-- What search looks into moves out of the wide rows into packs that can be gone through at the speed of memory. The
-- packs of a book that is older than this are made when it is opened, since only Rust can fold.

ALTER TABLE contact DROP COLUMN search_key;

CREATE TABLE search_pack (
    place    INTEGER PRIMARY KEY,        -- contact id / 16
    contacts INTEGER NOT NULL,           -- how many of the sixteen there are
    keys     BLOB    NOT NULL            -- `book::search` tells its shape
) STRICT;
