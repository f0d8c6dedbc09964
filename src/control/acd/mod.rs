//! Automatic call distribution: agents and lines owned together, so that no double offer can exist.
