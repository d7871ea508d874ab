-- A checksum of each contact, as SQLite keeps none of its pages: a letter that flips inside a text is found. A row from
-- before has none until it is written again.

ALTER TABLE contact ADD COLUMN seal INTEGER;
