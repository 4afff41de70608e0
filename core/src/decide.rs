//! View + token + request + now → decision, with every reason.

mod reason;

pub use reason::{Class, Reason};
