-- The keys under which others sign what they send to an instance's observations; sealed, as each has to be read again.

CREATE TABLE intake (
    instance   TEXT    PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    sealed_key BLOB    NOT NULL,
    set_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
