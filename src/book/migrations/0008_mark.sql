-- Drawn by lot with every change: tells this state of the book from every other, so that a record of the journal knows
-- whether it is the next.
ALTER TABLE book ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
