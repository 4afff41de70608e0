//! What a policy means: written as text, compiled, opened and asked, in one process.
//!
//! The tests are the rows of DOMAIN section 10 as far as no socket, clock or record is needed; the
//! last module asks a great many random policies and compares with a plain model.

#![cfg(test)]

mod dates;
mod divisions;
mod follows;
mod models_agree;
mod never;
mod roles;
mod service_users;
