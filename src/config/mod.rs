//! Arguments and files, checked into a Directory.
