-- What a chat line's buttons are stands with the line; what is left to do after a call is marked, so that nobody looks for it.
ALTER TABLE messages ADD COLUMN buttons TEXT;

ALTER TABLE sessions ADD COLUMN to_measure BIGINT;
CREATE INDEX sessions_to_measure ON sessions (id) WHERE to_measure = 1;
UPDATE sessions SET to_measure = 1 WHERE closed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.session = sessions.id);

ALTER TABLE recordings ADD COLUMN to_transcribe BIGINT;
ALTER TABLE recordings ADD COLUMN transcribe_at BIGINT;
ALTER TABLE recordings ADD COLUMN transcribe_tries BIGINT;
ALTER TABLE recordings ADD COLUMN transcribe_why TEXT;
CREATE INDEX recordings_to_transcribe ON recordings (id) WHERE to_transcribe = 1;
UPDATE recordings SET to_transcribe = 1 WHERE state = 'finished' AND NOT EXISTS (SELECT 1 FROM transcripts t WHERE t.recording = recordings.id);
