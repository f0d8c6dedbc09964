-- The same file serves SQLite and PostgreSQL: TEXT, BIGINT and DOUBLE PRECISION mean the same in both.
-- Ids are prefixed ULIDs, so `ORDER BY id` is the order of making; `_at` is microseconds since the epoch; JSON is TEXT.
CREATE TABLE meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO meta (name, value) VALUES ('applied_seq', 0);

CREATE TABLE events (
    seq BIGINT PRIMARY KEY, id TEXT NOT NULL, at BIGINT NOT NULL, type TEXT NOT NULL,
    session TEXT, customer TEXT, data TEXT NOT NULL
);
CREATE INDEX events_session ON events (session, seq) WHERE session IS NOT NULL;

CREATE TABLE customers (id TEXT PRIMARY KEY, name TEXT, lang TEXT, fields TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE TABLE customer_tags (customer TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (customer, tag));
CREATE TABLE activities (id TEXT PRIMARY KEY, customer TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, url TEXT, at BIGINT NOT NULL);
CREATE INDEX activities_customer ON activities (customer, id);
CREATE TABLE identities (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, channel TEXT NOT NULL, address TEXT NOT NULL, level TEXT NOT NULL, linked_at BIGINT NOT NULL,
    UNIQUE (channel, address)
);
CREATE INDEX identities_customer ON identities (customer);
CREATE TABLE conversations (id TEXT PRIMARY KEY, customer TEXT NOT NULL, opened_at BIGINT NOT NULL, last_at BIGINT NOT NULL);
CREATE INDEX conversations_customer ON conversations (customer, id);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY, conversation TEXT NOT NULL, customer TEXT NOT NULL, channel TEXT NOT NULL, address TEXT NOT NULL, entry TEXT NOT NULL,
    plan TEXT, plan_version TEXT, call TEXT, state TEXT NOT NULL, node TEXT, intent TEXT, queue TEXT, agent TEXT,
    ending TEXT, disposition TEXT, contained BIGINT, duration_ms BIGINT, waited_ms BIGINT,
    created_at BIGINT NOT NULL, assigned_at BIGINT, closed_at BIGINT
);
CREATE INDEX sessions_conversation ON sessions (conversation, id);
CREATE INDEX sessions_customer ON sessions (customer, id);
CREATE INDEX sessions_open ON sessions (id) WHERE state <> 'closed';
CREATE INDEX sessions_address ON sessions (channel, address);
CREATE TABLE slots (session TEXT NOT NULL, slot TEXT NOT NULL, value TEXT NOT NULL, masked BIGINT NOT NULL, PRIMARY KEY (session, slot));
CREATE TABLE node_visits (session TEXT NOT NULL, turn BIGINT NOT NULL, node TEXT NOT NULL, seq BIGINT PRIMARY KEY);
CREATE INDEX node_visits_session ON node_visits (session, seq);
CREATE TABLE queue_waits (
    seq BIGINT PRIMARY KEY, session TEXT NOT NULL, queue TEXT NOT NULL, priority BIGINT NOT NULL, skills TEXT NOT NULL,
    entered_at BIGINT NOT NULL, left_at BIGINT, why TEXT, waited_ms BIGINT
);
CREATE INDEX queue_waits_session ON queue_waits (session);
CREATE INDEX queue_waits_queue ON queue_waits (queue, left_at);

CREATE TABLE messages (
    id TEXT PRIMARY KEY, seq BIGINT NOT NULL, session TEXT NOT NULL, channel TEXT, author TEXT NOT NULL, agent TEXT, content TEXT NOT NULL, text TEXT,
    lang TEXT, client_id TEXT, external_id TEXT, offset_ms BIGINT, duration_ms BIGINT, confidence DOUBLE PRECISION, source TEXT, at BIGINT NOT NULL,
    UNIQUE (session, client_id), UNIQUE (channel, external_id)
);
CREATE INDEX messages_session ON messages (session, seq);

CREATE TABLE calls (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, from_uri TEXT NOT NULL, to_uri TEXT NOT NULL, sip_call_id TEXT NOT NULL, state TEXT NOT NULL, agent TEXT,
    ending TEXT, sip_status BIGINT, our_fault BIGINT, duration_ms BIGINT, started_at BIGINT NOT NULL, answered_at BIGINT, bridged_at BIGINT, ended_at BIGINT
);
CREATE INDEX calls_session ON calls (session);
CREATE TABLE legs (
    id TEXT PRIMARY KEY, call TEXT NOT NULL, role TEXT NOT NULL, uri TEXT NOT NULL, why TEXT, stats TEXT, opened_at BIGINT NOT NULL, closed_at BIGINT
);
CREATE INDEX legs_call ON legs (call);
CREATE TABLE recordings (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, duration_ms BIGINT, bytes BIGINT, sha256 TEXT, why TEXT,
    started_at BIGINT NOT NULL, finished_at BIGINT
);
CREATE INDEX recordings_session ON recordings (session);
CREATE TABLE transcripts (recording TEXT PRIMARY KEY, session TEXT NOT NULL, engine TEXT NOT NULL, utterances TEXT NOT NULL, at BIGINT NOT NULL);
CREATE INDEX transcripts_session ON transcripts (session);

CREATE TABLE tickets (
    id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, customer TEXT NOT NULL, conversation TEXT, session TEXT, kind TEXT NOT NULL, title TEXT NOT NULL,
    fields TEXT NOT NULL, state TEXT NOT NULL, version BIGINT NOT NULL, opened_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX tickets_customer ON tickets (customer, id);
CREATE TABLE ticket_comments (id TEXT PRIMARY KEY, ticket TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL, at BIGINT NOT NULL);
CREATE INDEX ticket_comments_ticket ON ticket_comments (ticket, id);

CREATE TABLE agent_states (agent TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT, since BIGINT NOT NULL);
CREATE TABLE offers (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, agent TEXT NOT NULL, queue TEXT NOT NULL, context TEXT NOT NULL, state TEXT NOT NULL,
    offered_at BIGINT NOT NULL, ended_at BIGINT
);
CREATE INDEX offers_agent ON offers (agent, id);
CREATE INDEX offers_session ON offers (session);

CREATE TABLE left_messages (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, contact TEXT, recording TEXT, text TEXT, mode TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE TABLE callbacks (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, queue TEXT NOT NULL, address TEXT NOT NULL, why TEXT NOT NULL, state TEXT NOT NULL,
    at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE TABLE evaluations (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, scorecard TEXT NOT NULL, score DOUBLE PRECISION NOT NULL, answers TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE INDEX evaluations_session ON evaluations (session);
CREATE TABLE surveys (seq BIGINT PRIMARY KEY, session TEXT NOT NULL, survey TEXT NOT NULL, score BIGINT NOT NULL, at BIGINT NOT NULL);

-- Below: not folded from the log, but written by the API itself.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL, created_at BIGINT NOT NULL, revoked_at BIGINT
);
CREATE TABLE idempotency (
    api_key TEXT NOT NULL, idem_key TEXT NOT NULL, request_hash TEXT NOT NULL, status BIGINT, body TEXT, at BIGINT NOT NULL,
    PRIMARY KEY (api_key, idem_key)
);
CREATE TABLE subscribers (api_key TEXT NOT NULL, name TEXT NOT NULL, acked_seq BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (api_key, name));
CREATE TABLE deliveries (
    message TEXT PRIMARY KEY, session TEXT NOT NULL, channel TEXT NOT NULL, address TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL,
    tries BIGINT NOT NULL, last_error TEXT, next_at BIGINT NOT NULL, created_at BIGINT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (state, next_at);
CREATE INDEX deliveries_visitor ON deliveries (channel, address, message);
