//! THE SOUND. OS threads with a 20 ms tick; no async, no locks.
