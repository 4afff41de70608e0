//! The task against a broker that is a few lines long.
