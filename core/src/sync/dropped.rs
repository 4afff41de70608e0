//! Why a message changes nothing; none of it is an error of the machine.

use core::fmt;

use super::MAX_CHUNKS;

/// Why something that arrived changed nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// The bytes are not those that were signed.
    Altered,
    /// Another root under the version being fetched: somebody signed two snapshots as one.
    Fork,
    /// It is already here.
    Known,
    /// Nothing asked for it.
    NotAskedFor,
    /// A newer snapshot is being fetched.
    Older,
    /// The same snapshot was refused after it had arrived whole.
    RefusedBefore,
    /// More chunks than a gateway keeps track of.
    TooManyChunks {
        /// What the manifest says.
        chunks: u32,
    },
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("not the bytes that were signed; asking again"),
            Self::Fork => f.write_str(
                "another snapshot under the version being fetched; compare what was published",
            ),
            Self::Known => f.write_str("already here"),
            Self::NotAskedFor => f.write_str("nothing asked for it"),
            Self::Older => f.write_str("a newer snapshot is being fetched"),
            Self::RefusedBefore => f.write_str("this snapshot was refused; publish a newer one"),
            Self::TooManyChunks { chunks } => {
                write!(
                    f,
                    "{chunks} chunks, and a gateway takes {MAX_CHUNKS}; publish larger chunks"
                )
            }
        }
    }
}

impl core::error::Error for Dropped {}
