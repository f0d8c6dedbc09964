-- The files of recordings that have several.
CREATE TABLE recording_parts (
    recording TEXT NOT NULL, part BIGINT NOT NULL, path TEXT NOT NULL, duration_ms BIGINT NOT NULL, bytes BIGINT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (recording, part)
);
