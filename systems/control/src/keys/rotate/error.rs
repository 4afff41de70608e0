//! Why no key set was made.

use std::path::PathBuf;

use gateward_core::trust::sign::TooMany;
use gateward_core::trust::{KeyId, Refused, Role};

use super::super::{NoChain, role_name};
use crate::day::Day;
use crate::draw::NoRandomness;
use crate::lock::NotLocked;
use crate::{policy, secret, whole};

/// Why the key set stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum NotRotated {
    /// A key that leaves has left already.
    #[error("key {0} signs nothing any more; `keys list` shows which keys still do")]
    Barred(KeyId),
    /// The key sets cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// The last day is over.
    #[error("{0} is over; name a later day with --expires")]
    Expired(Day),
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// A root key is there already.
    #[error("`{}` exists; root keys are never overwritten, name another folder", .0.display())]
    KeyExists(PathBuf),
    /// A limit to groups makes no sense for the role.
    #[error(
        "a {} key is for the whole account; leave out --group, or rotate the snapshot or beacon key",
        role_name(*.0)
    )]
    NoLimits(Role),
    /// Some gateways would have no key left.
    #[error(
        "no {0} key would be left for {of}; add --role {0}, for those groups or for all of them",
        role_name(*role)
    )]
    NoneLeft {
        /// The role.
        role: Role,
        /// For whom.
        of: String,
    },
    /// Somebody else rotates.
    #[error(transparent)]
    NotLocked(#[from] NotLocked),
    /// The system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A group is not in the policy.
    #[error("`{name}` is no group of the policy; there are: {groups}")]
    NoSuchGroup {
        /// The name.
        name: String,
        /// The groups.
        groups: String,
    },
    /// A key is in no key set.
    #[error("no key set has a key {0}; `keys list` shows them")]
    NoSuchKey(KeyId),
    /// A key to be replaced signs something else.
    #[error("key {id} is no {} key; `keys list` shows what each one signs", role_name(*role))]
    OtherRole {
        /// The key.
        id: KeyId,
        /// What it should sign.
        role: Role,
    },
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] policy::Unusable),
    /// A gateway would refuse what was made.
    #[error("a gateway would refuse this key set: {0}")]
    Refused(Refused),
    /// A private key cannot be used.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// Too few root keys are here.
    #[error(
        "{here} root keys are here and {needed} must sign; name the files of others with \
         --root-key: {missing}. Where they are lost for good, no key set can follow this one: \
         begin an account anew with `init`, and enrol its gateways again"
    )]
    TooFewRoots {
        /// How many are here.
        here: usize,
        /// How many must sign.
        needed: usize,
        /// The ids of the others.
        missing: String,
    },
    /// Too few root keys would be left.
    #[error(
        "{left} root keys would be left, and {needed} must sign the next key set; replace one with \
         --role root"
    )]
    TooFewRootsLeft {
        /// How many would be left.
        left: usize,
        /// How many must sign.
        needed: usize,
    },
    /// A list is full.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A key that stays may sign as two roles.
    #[error(
        "key {id} signs as {roles}: whoever takes it has both, and what should need two keys needs \
         one. Give one of the roles a key of its own with `keys rotate --role {role} --keep`, the \
         other with `keys rotate --role {other} --replace {id}`, then do this again",
        role = role_name(*role),
        other = role_name(*other)
    )]
    TwoRoles {
        /// The key.
        id: KeyId,
        /// All that it signs as.
        roles: String,
        /// One of them.
        role: Role,
        /// Another one.
        other: Role,
    },
    /// It is not clear which key is replaced.
    #[error("{}; name the one that is replaced with --replace: {ids}", which(*role, *count))]
    Which {
        /// The role.
        role: Role,
        /// How many keys may sign.
        count: usize,
        /// Their ids.
        ids: String,
    },
}

fn which(role: Role, count: usize) -> String {
    format!("there are {count} {} keys", role_name(role))
}
