//! What a snapshot is made from, and what no snapshot can hold.

extern crate alloc;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::name::Uuid;
use crate::permission::PermissionSet;
use crate::principal::PrincipalKind;
use crate::time::End;

/// Everything that a snapshot says.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The account.
    pub account: Uuid,
    /// Whether the account is suspended.
    pub suspended: bool,
    /// Divisions by id, with their names.
    pub divisions: BTreeMap<Uuid, String>,
    /// Principals by key.
    pub principals: BTreeMap<u32, PrincipalEntry>,
    /// Tokens by id.
    pub tokens: BTreeMap<u64, TokenEntry>,
    /// The division of a resource by kind and id; none where it is in no division.
    pub resources: BTreeMap<(u8, Uuid), Option<Uuid>>,
    /// Added permissions and routes as [`crate::snapshot::ext`] reads them; empty where there are none.
    pub ext: Vec<u8>,
}

/// Where a principal may act.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// In every division; said explicitly.
    All,
    /// In these; nowhere where there are none.
    Only(BTreeSet<Uuid>),
}

/// A user or a service user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PrincipalEntry {
    /// Its id.
    pub id: Uuid,
    /// Username or friendly name.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Whether it has no access to IoT Trust Manager.
    pub no_iot_access: bool,
    /// What it may do.
    pub permissions: PermissionSet,
    /// Where.
    pub scope: Scope,
    /// Until when.
    pub end: End,
}

/// A token.
#[derive(Clone, Eq, PartialEq)]
pub struct TokenEntry {
    /// Key of its owner.
    pub principal: u32,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Until when.
    pub end: End,
    /// See [`crate::token::Context::verifier`].
    pub verifier: [u8; 32],
}

impl fmt::Debug for TokenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEntry").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// How many bytes of each verifier are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum VerifierLen {
    /// All 32 bytes: the default.
    #[default]
    Full,
    /// 16 bytes, for firmware with little flash.
    Half,
}

/// Why contents cannot become a snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BadContents {
    /// More tokens in one bucket than a look-up may pass over: ids are not random.
    Crowded,
    /// A name is not 1 to 128 printable bytes.
    Name(String),
    /// More of these than this limit.
    TooMany(&'static str, usize),
    /// A principal or a resource names a division that is not there.
    UnknownDivision(Uuid),
    /// A token names an owner that is not there.
    UnknownOwner(u32),
}

impl fmt::Display for BadContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crowded => f.write_str("token ids crowd together; let `token new` draw others"),
            Self::Name(name) => write!(f, "`{}` is not a name", name.escape_debug()),
            Self::TooMany(what, limit) => {
                write!(f, "more than {limit} {what}; split the group of gateways")
            }
            Self::UnknownDivision(id) => write!(f, "division {id} is not in the snapshot"),
            Self::UnknownOwner(key) => write!(f, "no principal has key {key}"),
        }
    }
}

impl core::error::Error for BadContents {}
