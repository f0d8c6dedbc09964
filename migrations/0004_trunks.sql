-- How each trunk was when it was last heard of.
CREATE TABLE trunk_states (trunk TEXT PRIMARY KEY, state TEXT NOT NULL, why TEXT, since BIGINT NOT NULL);
