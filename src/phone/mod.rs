//! A SIP/RTP phone: `hotline call`, and the far end of tests.
