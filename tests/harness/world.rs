//! A small policy, written as text and compiled the way an operator's is, for scenarios that ask
//! what it means.
//!
//! Everybody gets a first token when added, so a scenario names somebody and asks. Secrets follow
//! from the number of the token and are worth nothing.

mod question;
mod snapshot;
mod text;

pub use question::{Question, needs, needs_any, sends};
pub use snapshot::{EXPIRES_AFTER, STALE_AFTER, Snapshot};

use std::collections::BTreeMap;
use std::fs;

use gateward_control::compile;
use gateward_control::policy::Policy;
use gateward_core::name::Uuid;
use gateward_core::principal::TokenKind;
use gateward_core::snapshot::build::{Contents, VerifierLen};
use gateward_core::time::UnixSeconds;
use gateward_core::token::{self, Secret};
use tempfile::TempDir;

/// When snapshots are made and, where nothing else is said, asked: 2026-07-01T00:00:00Z.
pub const NOW: UnixSeconds = UnixSeconds(1_782_864_000);

/// The group of gateways that knows everybody.
pub const EVERYTHING: &str = "everything";

/// Somebody in a [`World`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Who {
    at: usize,
    first: Key,
}

/// A token in a [`World`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key(usize);

impl From<Who> for Key {
    fn from(who: Who) -> Self {
        who.first
    }
}

/// A user or a service user, as a policy writes it.
#[derive(Clone, Debug)]
pub struct Person {
    /// Its id.
    pub id: Uuid,
    /// Username or friendly name.
    pub name: String,
    /// Whether it is a service user.
    pub service: bool,
    /// Roles of a user, permissions of a service user.
    pub grants: Vec<String>,
    /// Names of divisions; none is the key left out.
    pub divisions: Option<Vec<String>>,
    /// Whether the access scope is the system.
    pub system: bool,
    /// `active`, `disabled` or `deleted`.
    pub status: &'static str,
    /// Whether it may use IoT Trust Manager.
    pub iot_access: bool,
    /// The last day.
    pub end: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
}

/// A token, as a policy writes it.
#[derive(Clone, Debug)]
pub struct Held {
    /// Place of its owner.
    owner: usize,
    /// Its name.
    pub name: String,
    /// What it is looked up by.
    pub number: u64,
    /// `enabled`, `disabled` or `deleted`.
    pub status: &'static str,
    /// The last day.
    pub end: Option<String>,
}

/// A policy in the making.
#[derive(Clone, Debug)]
pub struct World {
    /// The account.
    pub account: Uuid,
    /// Whether the account is suspended.
    pub suspended: bool,
    /// Names of the divisions; their ids follow from their places.
    pub divisions: Vec<String>,
    /// Groups of gateways and the divisions they are limited to, beside [`EVERYTHING`].
    pub groups: BTreeMap<String, Vec<String>>,
    /// Custom roles and what they hold.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Enrollment profiles and the division that each is in.
    pub profiles: BTreeMap<Uuid, Option<String>>,
    /// TOML beside all that.
    pub more: String,
    /// When the manifest is signed.
    pub issued_at: UnixSeconds,
    people: Vec<Person>,
    tokens: Vec<Held>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            account: Uuid([0xac; 16]),
            suspended: false,
            divisions: names(&["A", "B", "C"]),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            profiles: BTreeMap::new(),
            more: String::new(),
            issued_at: NOW,
            people: Vec::new(),
            tokens: Vec::new(),
        }
    }
}

/// Returns owned texts.
#[must_use]
pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Returns the `n`th id of a kind of things.
#[must_use]
pub fn id(kind: u8, n: usize) -> Uuid {
    let mut id = [kind; 16];
    let (_, end) = id.split_at_mut(8);
    end.copy_from_slice(&(n as u64).to_be_bytes());

    Uuid(id)
}

impl World {
    /// Adds a user with these roles.
    pub fn user(&mut self, username: &str, roles: &[&str]) -> Who {
        self.add(username, roles, false)
    }

    /// Adds a service user with these permissions.
    pub fn service_user(&mut self, friendly_name: &str, permissions: &[&str]) -> Who {
        self.add(friendly_name, permissions, true)
    }

    fn add(&mut self, name: &str, grants: &[&str], service: bool) -> Who {
        let at = self.people.len();
        self.people.push(Person {
            id: id(if service { 0x5e } else { 0x0a }, at),
            name: name.to_owned(),
            service,
            grants: names(grants),
            divisions: None,
            system: false,
            status: "active",
            iot_access: true,
            end: None,
            created_by: None,
        });

        Who { at, first: self.add_token(at, "first") }
    }

    /// Adds another token.
    pub fn token(&mut self, owner: Who, name: &str) -> Key {
        self.add_token(owner.at, name)
    }

    fn add_token(&mut self, owner: usize, name: &str) -> Key {
        let at = self.tokens.len();
        let number = scatter(at as u64 + 1);
        let name = name.to_owned();
        self.tokens.push(Held { owner, name, number, status: "enabled", end: None });

        Key(at)
    }

    /// Changes somebody.
    pub fn edit(&mut self, who: Who) -> &mut Person {
        self.people.get_mut(who.at).expect("somebody of this world")
    }

    /// Changes a token.
    pub fn edit_token(&mut self, key: impl Into<Key>) -> &mut Held {
        self.tokens.get_mut(key.into().0).expect("a token of this world")
    }

    /// Limits somebody to divisions.
    pub fn limit(&mut self, who: Who, divisions: &[&str]) {
        self.edit(who).divisions = Some(names(divisions));
    }

    /// Returns the id of a division, as a request names it.
    #[must_use]
    pub fn division(&self, name: &str) -> Uuid {
        let at = self.divisions.iter().position(|division| division == name);

        id(0xd1, at.expect("a division of this world"))
    }

    /// Returns the text of a token.
    #[must_use]
    pub fn text(&self, key: impl Into<Key>) -> Vec<u8> {
        let held = self.tokens.get(key.into().0).expect("a token of this world");
        let (_, kind) = self.owner(held);

        token::write(kind, held.number, &secret(held.number)).to_vec()
    }

    /// Returns the text of a token with another secret, as whoever knows its public part can make.
    #[must_use]
    pub fn forged(&self, key: impl Into<Key>) -> Vec<u8> {
        let held = self.tokens.get(key.into().0).expect("a token of this world");
        let (_, kind) = self.owner(held);

        token::write(kind, held.number, &secret(!held.number)).to_vec()
    }

    fn owner(&self, held: &Held) -> (&Person, TokenKind) {
        let owner = self.people.get(held.owner).expect("an owner of this world");

        (owner, if owner.service { TokenKind::Service } else { TokenKind::Api })
    }
    /// Reads the policy, or says what is wrong with it.
    ///
    /// # Errors
    ///
    /// Returns every mistake as it is printed.
    pub fn policy(&self) -> Result<Policy, String> {
        let dir = TempDir::new().expect("a folder for the policy");
        fs::write(dir.path().join("policy.toml"), self.toml()).expect("the policy is written");

        Policy::load(dir.path()).map_err(|unusable| unusable.to_string())
    }

    /// Returns what a snapshot for `group` says, for scenarios about what no policy can say.
    #[must_use]
    pub fn contents(&self, group: &str) -> Contents {
        let policy = self.policy().expect("the policy of a scenario is right");
        let group = policy.group(group).expect("a group of this world");

        compile::contents(&policy, Some(group))
    }

    /// Returns the snapshot of the group that knows everybody.
    #[must_use]
    pub fn compile(&self) -> Snapshot {
        self.compile_for(EVERYTHING)
    }

    /// Returns the snapshot of a group.
    #[must_use]
    pub fn compile_for(&self, group: &str) -> Snapshot {
        let policy = self.policy().expect("the policy of a scenario is right");
        let file = compile::compile(&policy, group).expect("the policy fits the format");

        self.open(file)
    }

    /// Returns the snapshot of `contents`.
    #[must_use]
    pub fn compile_contents(&self, contents: &Contents) -> Snapshot {
        self.open(contents.compile(VerifierLen::Full).expect("the contents fit the format"))
    }

    fn open(&self, file: Vec<u8>) -> Snapshot {
        let texts = (0..self.tokens.len()).map(|at| self.text(Key(at))).collect();

        Snapshot::open(self.account, self.issued_at, file, texts)
    }
}

/// Spreads numbers evenly, as drawing at random does (SplitMix64).
#[must_use]
pub const fn scatter(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);

    z ^ (z >> 31)
}

fn secret(number: u64) -> Secret {
    let mut secret = [0; 32];
    for (place, n) in secret.chunks_exact_mut(8).zip(1..) {
        place.copy_from_slice(&scatter(number ^ n).to_be_bytes());
    }

    Secret(secret)
}
