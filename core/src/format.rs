//! The bytes, for whoever writes them anew: included here so that it is read and built with the
//! code, and so that a test can hold it to what the code does.
#![doc = include_str!("../docs/format.md")]

#[cfg(test)]
mod tests;
