//! A call: legs bridged by the rules, ended by one verdict.
