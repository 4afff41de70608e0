//! From bytes that arrived to a snapshot that may be believed.
//!
//! [`open`] is the only way to make a [`Verified`], and the store of the agent takes nothing else,
//! so unchecked bytes cannot reach a decision.

#[cfg(any(test, feature = "build"))]
pub mod build;
pub mod chunk;
pub mod delta;
pub mod ext;
mod layout;
pub mod revocation;
mod validate;
mod view;

pub use ext::Ext;
pub(crate) use layout::{DISABLED, NO_IOT_ACCESS, PrincipalRecord, SCOPE_ALL, TOKEN_DISABLED};
pub use layout::{
    MAGIC, MAX_EXT, MAX_FILE, MAX_GRANTS, MAX_PRINCIPALS, MAX_RESOURCES, MAX_TOKENS, MAX_WINDOW,
};
pub use revocation::Revocation;
pub(crate) use view::below;
pub use view::{Limits, Principal, TokenRow, View};

use core::fmt;

use crate::name::Uuid;
use crate::time::UnixSeconds;
use crate::token::Context;
use crate::trust::Manifest;

/// A snapshot whose origin and shape have been checked, with the manifest that vouches for it.
pub struct Verified<B> {
    content: Unsigned<B>,
    manifest: Manifest,
}

/// Checks a whole file against the manifest that names it.
///
/// `manifest` has been verified against the key set; the file's root ties the two together. The
/// buffer is kept and used from then on, so what was checked is what is read.
///
/// # Errors
///
/// Returns why the gateway must go on with the snapshot it has.
pub fn open<B: AsRef<[u8]>>(bytes: B, manifest: Manifest) -> Result<Verified<B>, Refused> {
    let file = bytes.as_ref();
    if u32::try_from(file.len()) != Ok(manifest.file_len()) {
        return Err(Refused::Length);
    }
    if chunk::root_of(file, manifest.chunk_log2()) != Some(manifest.root()) {
        return Err(Refused::Root);
    }
    let content = unsigned(bytes)?;
    if content.view().account() != manifest.account() {
        return Err(Refused::OtherAccount);
    }

    Ok(Verified { content, manifest })
}

impl<B: AsRef<[u8]>> Verified<B> {
    /// Returns the manifest that vouches for it.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.content.bytes.as_ref()
    }

    /// Returns the snapshot as the decision reads it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.view_stale_from(self.manifest.stale_at())
    }

    /// Returns the snapshot as the decision reads it, stale from `at` on, or sooner where its
    /// manifest says so: who keeps it may know that it is not the newest, never that it is fresher.
    #[must_use]
    pub fn view_stale_from(&self, at: UnixSeconds) -> View<'_> {
        let stale_at = self.manifest.stale_at().min(at);
        self.content.limited(Limits { stale_at, expires_at: self.manifest.expires_at() })
    }

    /// Takes a later manifest of the same version and root: the file is still valid, for longer.
    ///
    /// # Errors
    ///
    /// The manifest names another file; the old one stays.
    pub fn refreshed(&self, manifest: Manifest) -> Result<Self, Refused>
    where
        B: Clone,
    {
        let same = manifest.version() == self.manifest.version()
            && manifest.root() == self.manifest.root()
            && manifest.account() == self.manifest.account();
        if !same {
            return Err(Refused::Root);
        }
        let Unsigned { bytes, context } = &self.content;
        let content = Unsigned { bytes: bytes.clone(), context: context.clone() };

        Ok(Self { content, manifest })
    }
}

impl<B> fmt::Debug for Verified<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// A snapshot of good shape that nobody vouches for.
///
/// For the compiler's own output, for inspection and for `--unsigned`; the agent decides with a
/// [`Verified`] only.
pub struct Unsigned<B> {
    bytes: B,
    context: Context,
}

/// Checks the shape of a file, and nothing about who made it.
///
/// # Errors
///
/// Returns what is wrong with the file.
pub fn unsigned<B: AsRef<[u8]>>(bytes: B) -> Result<Unsigned<B>, Refused> {
    let any = Context::new(&[0; 16]);
    let view = View::parse(bytes.as_ref(), &any, NO_LIMITS)?;
    validate::validate(&view)?;
    let Uuid(account) = view.account();

    Ok(Unsigned { bytes, context: Context::new(&account) })
}

const NO_LIMITS: Limits =
    Limits { stale_at: UnixSeconds(u64::MAX), expires_at: UnixSeconds(u64::MAX) };

impl<B: AsRef<[u8]>> Unsigned<B> {
    /// Returns the snapshot, which neither grows stale nor expires: only a manifest says when.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.limited(NO_LIMITS)
    }

    /// Returns the snapshot, stale from `at` on: for asking again what was asked when one was stale.
    #[must_use]
    pub fn view_stale_from(&self, at: UnixSeconds) -> View<'_> {
        self.limited(Limits { stale_at: at, ..NO_LIMITS })
    }

    fn limited(&self, limits: Limits) -> View<'_> {
        View::parse(self.bytes.as_ref(), &self.context, limits)
            .unwrap_or_else(|_| View::nothing(&self.context))
    }
}

impl<B> fmt::Debug for Unsigned<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsigned(..)")
    }
}

/// Why a file was not accepted; the one already held stays in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// A count is past its limit, or two that belong together disagree.
    Counts,
    /// The directory is not the one that the ids give.
    Directory,
    /// The extensions cannot be read.
    Extension,
    /// The file is shorter or longer than it says.
    Length,
    /// A name is not 1 to 128 bytes of printable UTF-8, not where it belongs, or that of two
    /// divisions.
    Name,
    /// Records are not in strictly ascending order, so one stands twice.
    Order,
    /// The file is for another account than its manifest.
    OtherAccount,
    /// A record points past the table that it points into.
    Reference,
    /// Bytes that must be zero are not.
    Reserved,
    /// The file is not the one that the manifest names.
    Root,
    /// A principal's divisions are past the table, or beside an explicit all.
    Scope,
    /// The file needs a feature that this build does not have.
    UnknownFeature,
    /// The file is in a format that this build does not read.
    UnknownFormat,
    /// The file has a status or a kind that this build does not know.
    UnknownStatus,
}

impl Refused {
    /// Returns the name in records, exports and labels.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Counts => "bad_counts",
            Self::Directory => "bad_directory",
            Self::Extension => "bad_extension",
            Self::Length => "bad_length",
            Self::Name => "bad_name",
            Self::Order => "bad_order",
            Self::OtherAccount => "other_account",
            Self::Reference => "bad_reference",
            Self::Reserved => "bad_reserved",
            Self::Root => "bad_root",
            Self::Scope => "bad_scope",
            Self::UnknownFeature => "unknown_feature",
            Self::UnknownFormat => "unknown_format",
            Self::UnknownStatus => "unknown_status",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counts => "a count in the header is past its limit; compile the snapshot again",
            Self::Directory => "the directory does not fit the ids; compile the snapshot again",
            Self::Extension => "added permissions or routes cannot be read; update the agent",
            Self::Length => "shorter or longer than it says; fetch the file again",
            Self::Name => "a name is malformed or taken; compile the snapshot again",
            Self::Order => "a record stands twice or out of order; compile the snapshot again",
            Self::OtherAccount => "made for another account; check what was published",
            Self::Reference => "a record points past its table; compile the snapshot again",
            Self::Reserved => "reserved bytes are not zero; update the agent",
            Self::Root => "not the file that the manifest names; fetch the file again",
            Self::Scope => "divisions of a principal are malformed; compile the snapshot again",
            Self::UnknownFeature => "needs a feature that this build lacks; update the agent",
            Self::UnknownFormat => "not a snapshot that this build reads; update the agent",
            Self::UnknownStatus => "a status is unknown to this build; update the agent",
        })
    }
}

impl core::error::Error for Refused {}

#[cfg(test)]
mod tests;
