//! SIP on the wire: UDP and TCP, bytes to messages and back.
