//! A chunk is kept only in its place and whole.
