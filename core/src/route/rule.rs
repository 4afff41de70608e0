//! What a rule says: who may come, with what, and where the division is told.
//!
//! Each part is read from the words of `data/routes.tsv`, which are those of policies too.

use core::fmt;

use super::pattern::Pattern;
use super::source::DivisionSource;
use crate::permission::{Operation, Permission, PermissionSet};

/// One row of the route table (DOMAIN section 7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule<'a> {
    /// Its name, such as `cert.request`.
    pub id: &'a str,
    /// The methods that it knows.
    pub methods: Methods,
    /// The paths that it knows.
    pub pattern: Pattern<'a>,
    /// The permissions of which any suffices.
    pub permissions: AnyOf<'a>,
    /// What the request does.
    pub operation: RouteOperation,
    /// The credentials that it takes.
    pub accepts: Accepts,
    /// Where the division is told.
    pub division: DivisionSource,
    /// Whether it is refused once the snapshot is stale.
    pub fresh: bool,
    /// What records call the thing, such as `certificate`.
    pub resource: &'a str,
    /// What records call the act, such as `request`.
    pub action: &'a str,
    /// Whether it is switched on (DOMAIN G16).
    pub enabled: bool,
}

impl Rule<'_> {
    /// Checks what a policy says, beyond the words that were read already.
    ///
    /// # Errors
    ///
    /// Returns the first thing that is wrong.
    pub fn check(&self) -> Result<(), BadRule> {
        let plain = |text: &str| {
            matches!(text.len(), 1..=64)
                && text.bytes().all(|byte| {
                    byte.is_ascii_lowercase()
                        || byte.is_ascii_digit()
                        || matches!(byte, b'_' | b'-' | b'.')
                })
        };
        if !(plain(self.id) && plain(self.resource) && plain(self.action)) {
            return Err(BadRule::Name);
        }
        match self.operation {
            RouteOperation::Needs(_) if self.permissions.is_empty() => Err(BadRule::NoPermission),
            RouteOperation::Needs(_) if !self.accepts.key() => Err(BadRule::NoKey),
            RouteOperation::Enroll | RouteOperation::Public if !self.permissions.is_empty() => {
                Err(BadRule::UselessPermission)
            }
            RouteOperation::Enroll if self.accepts != Accepts::DEVICE => Err(BadRule::NotADevice),
            RouteOperation::Public if self.accepts != Accepts::NONE => Err(BadRule::NotPublic),
            RouteOperation::Enroll | RouteOperation::Needs(_) | RouteOperation::Public => {
                self.check_division()
            }
        }
    }

    fn check_division(&self) -> Result<(), BadRule> {
        let from_path = self.division.slot().is_some();

        if from_path && self.division_segment().is_none() { Err(BadRule::NoSlot) } else { Ok(()) }
    }

    /// Returns which segment of the path names the division, or what ties the request to one.
    pub(super) fn division_segment(&self) -> Option<usize> {
        self.pattern.place(self.division.slot()?)
    }
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadRule {
    /// An id, resource or action is not 1 to 64 of lower-case letters, digits and `_-.`.
    Name,
    /// It needs a permission and takes no key, so nobody could hold one.
    NoKey,
    /// It needs a permission and names none (DOMAIN A18).
    NoPermission,
    /// The division is to be found in the path, and the pattern does not say where.
    NoSlot,
    /// It is for enrolment and takes something else than device credentials.
    NotADevice,
    /// It is public and takes credentials.
    NotPublic,
    /// It names a permission that nobody is asked for.
    UselessPermission,
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "id, resource or action: use 1 to 64 lower-case letters, digits, `_`, `-` and `.`"
            }
            Self::NoKey => "a permission is needed and no key is taken: add `key` to `auth`",
            Self::NoPermission => {
                "no permission is named, so every request is denied: name one, or say `public`"
            }
            Self::NoSlot => {
                "the pattern does not say where the id stands: add `{division}`, `{ep}`, \
                 `{policy}` or `**`"
            }
            Self::NotADevice => "an `enroll` rule takes `device` credentials only",
            Self::NotPublic => "a `public` rule takes no credentials: set `auth` to `none`",
            Self::UselessPermission => {
                "`public` and `enroll` ask for no permission: leave it out, or name an operation"
            }
        })
    }
}

impl core::error::Error for BadRule {}

/// A set of methods.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Methods(pub(super) u8);

impl Methods {
    const NAMES: [(&'static str, u8); 7] = [
        ("GET", 1),
        ("HEAD", 2),
        ("POST", 4),
        ("PUT", 8),
        ("PATCH", 16),
        ("DELETE", 32),
        ("OPTIONS", 64),
    ];
    const GET: u8 = 1;
    const HEAD: u8 = 2;

    /// Returns the set of this method alone; none for one that no rule can name (DOMAIN G7).
    #[must_use]
    pub fn one(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| Self(*bit))
    }

    /// Reads names with white space between them; none where one is unknown or there is none.
    #[must_use]
    pub fn parse(names: &str) -> Option<Self> {
        union(names, |name| Self::one(name).map(|method| method.0))
            .filter(|set| *set != 0)
            .map(Self)
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        matches!(byte, 1..=0x7f).then_some(Self(byte))
    }

    /// Returns whether a request with `method` may match: `HEAD` follows `GET` (DOMAIN G6).
    pub(super) const fn allow(self, method: Self) -> bool {
        self.intersect(method) || (method.0 == Self::HEAD && self.0 & Self::GET != 0)
    }

    pub(super) const fn intersect(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Ids of permissions of which any suffices; none of them may be known to this build.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AnyOf<'a>(pub(super) &'a str);

/// A rule names a permission that the catalogue does not hold; its requests are denied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownPermission<'a>(pub &'a str);

impl fmt::Display for UnknownPermission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown permission `{}`: add it to the catalogue or mend the rule", self.0)
    }
}

impl core::error::Error for UnknownPermission<'_> {}

impl<'a> AnyOf<'a> {
    /// Takes ids joined by `|`; an empty text names none.
    #[must_use]
    pub const fn new(ids: &'a str) -> Self {
        Self(ids)
    }

    /// Returns the ids.
    pub fn ids(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('|').filter(|id| !id.is_empty())
    }

    /// Returns whether it names none. That grants nothing: a rule that needs nothing says so
    /// (DOMAIN A18).
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.ids().next().is_none()
    }

    /// Returns the permissions, of which holding any suffices; the empty set grants nothing.
    ///
    /// # Errors
    ///
    /// Returns the first id that `find` does not know: whoever wrote the rule meant something that
    /// is not understood here, so that nothing of it counts (DOMAIN A17).
    pub fn resolve(
        self,
        find: impl Fn(&str) -> Option<Permission>,
    ) -> Result<PermissionSet, UnknownPermission<'a>> {
        self.ids().map(|id| find(id).ok_or(UnknownPermission(id))).collect()
    }
}

/// What a rule asks of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RouteOperation {
    /// A device enrols with a credential that the upstream checks (DOMAIN section 4, step 2).
    Enroll,
    /// A permission that can grant this operation.
    Needs(Operation),
    /// Nothing.
    Public,
}

impl RouteOperation {
    /// Reads the word: `public`, `enroll` or the name of an operation.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "enroll" => Some(Self::Enroll),
            "public" => Some(Self::Public),
            name => Operation::parse(name).map(Self::Needs),
        }
    }
}

/// A set of kinds of credentials.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Accepts(pub(super) u8);

impl Accepts {
    /// No credential.
    pub const NONE: Self = Self(0);
    /// Device credentials only: whatever EST, CMP, SCEP or ACME carry.
    pub const DEVICE: Self = Self(8);

    const NAMES: [(&'static str, u8); 5] =
        [("none", 0), ("key", 1), ("passcode", 2), ("mtls", 4), ("device", 8)];

    /// Reads names with white space between them; none where one is unknown, or nothing is said.
    #[must_use]
    pub fn parse(names: &str) -> Option<Self> {
        names.split_whitespace().next()?;
        union(names, |name| {
            Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
        })
        .map(Self)
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        matches!(byte, 0..=0xf).then_some(Self(byte))
    }

    /// Returns whether it takes an API token or a service user's token.
    #[must_use]
    pub const fn key(self) -> bool {
        self.0 & 1 != 0
    }

    /// Returns whether it takes an enrolment passcode.
    #[must_use]
    pub const fn passcode(self) -> bool {
        self.0 & 2 != 0
    }

    /// Returns whether it takes a device's client certificate beside a key.
    #[must_use]
    pub const fn mtls(self) -> bool {
        self.0 & 4 != 0
    }

    /// Returns whether it takes device credentials, and no token.
    #[must_use]
    pub const fn device(self) -> bool {
        self.0 & 8 != 0
    }

    /// Returns whether a request without a token may be passed on for the upstream to check.
    #[must_use]
    pub const fn passes_through(self) -> bool {
        self.passcode() || self.mtls() || self.device()
    }
}

/// The union of the bits of words with white space between them.
fn union(words: &str, bit: impl Fn(&str) -> Option<u8>) -> Option<u8> {
    words.split_whitespace().try_fold(0, |set, word| Some(set | bit(word)?))
}
