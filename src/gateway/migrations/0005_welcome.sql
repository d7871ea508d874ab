-- Whether somebody has still to be shown the way in: a row from the making of this file until an instance was made and its
-- token told. A first start that is cut short goes on with the next.

CREATE TABLE welcome (only INTEGER PRIMARY KEY CHECK (only = 1)) STRICT;
