-- Where registered phones are reached: a restart must not wait until each has registered again.
CREATE TABLE phones (user_name TEXT PRIMARY KEY, contacts TEXT NOT NULL, at BIGINT NOT NULL);
