//! Sessions, conversations, identities, tickets.
