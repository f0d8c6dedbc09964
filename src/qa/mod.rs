//! After the call: transcripts and scorecards.
