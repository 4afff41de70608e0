//! Attacks on what a gateway believes, and what must still be accepted.
