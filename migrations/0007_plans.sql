-- Versions of plans that this center knows; their texts lie in the data folder by plan and version.
CREATE TABLE plan_versions (plan TEXT NOT NULL, version TEXT NOT NULL, made_by TEXT NOT NULL, made_at BIGINT NOT NULL, PRIMARY KEY (plan, version));
-- Which version came into force when.
CREATE TABLE plan_publications (
    seq BIGINT PRIMARY KEY, plan TEXT NOT NULL, version TEXT NOT NULL, replaced TEXT, how TEXT NOT NULL, made_by TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE INDEX plan_publications_plan ON plan_publications (plan, seq);
-- Versions on trial; the one of a plan that has no end is running.
CREATE TABLE canaries (
    seq BIGINT PRIMARY KEY, plan TEXT NOT NULL, version TEXT NOT NULL, against TEXT NOT NULL, percent BIGINT NOT NULL, made_by TEXT NOT NULL,
    since BIGINT NOT NULL, ended_at BIGINT, how TEXT, why TEXT, counts TEXT
);
CREATE INDEX canaries_plan ON canaries (plan, seq);
-- Notices that callers hear before the greeting.
CREATE TABLE notices (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, by_lang TEXT NOT NULL, until BIGINT NOT NULL, plan TEXT, made_by TEXT NOT NULL, at BIGINT NOT NULL,
    cleared_at BIGINT
);
-- Sentences of a session that the plan did not know, and whether the plan could not go on.
ALTER TABLE sessions ADD COLUMN unmatched BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN plan_failed BIGINT NOT NULL DEFAULT 0;
-- What learns from sentences reads these facts alone.
CREATE INDEX events_understood ON events (seq) WHERE type = 'session.understood';
