//! Recognizers, synthesizers, turn-taking.
