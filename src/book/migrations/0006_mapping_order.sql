-- The newest mapping of a LID or of a phone is found at once, however many were ever claimed of it.

CREATE INDEX mapping_by_lid_and_time ON mapping (lid, learned_at, phone);
CREATE INDEX mapping_by_phone_and_time ON mapping (phone, learned_at, lid);
DROP INDEX mapping_by_phone;
