//! Real databases for tests: a SQLite file in a temporary folder, and a private PostgreSQL where its programs are installed.
