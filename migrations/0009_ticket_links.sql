-- The session of somebody who came about an open ticket again: the remark that says so belongs to it.
ALTER TABLE ticket_comments ADD COLUMN session TEXT;
CREATE INDEX ticket_comments_session ON ticket_comments (session);
