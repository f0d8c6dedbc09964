-- What agents were advised in a session, by which rule or article, and what became of it.
CREATE TABLE suggestions (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, agent TEXT, kind TEXT NOT NULL, text TEXT NOT NULL, say TEXT, lang TEXT NOT NULL, rule TEXT,
    article TEXT, confidence DOUBLE PRECISION, sentence TEXT, state TEXT NOT NULL, settled_by TEXT, message TEXT, at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX suggestions_session ON suggestions (session, id);
