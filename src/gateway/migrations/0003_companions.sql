-- To which companion, a linked phone or another gateway, the saved names of an instance leave. Its key is sealed.

CREATE TABLE companion (
    instance   TEXT    PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL CHECK (kind IN ('waha')),
    url        TEXT    NOT NULL,
    session    TEXT    NOT NULL,       -- how the instance is called there
    api_key    BLOB,                   -- sealed for `companion:<instance>`
    pace       INTEGER NOT NULL,       -- names sent in a minute, at most
    pull_every INTEGER NOT NULL        -- milliseconds
) STRICT, WITHOUT ROWID;
