//! Every MQTT topic of the product, in one place: the agent, the control plane and the tests write
//! and read the names of INTERFACES section 6 here and nowhere else.
//!
//! A name that was read back is canonical: one topic has one spelling, so a broker cannot offer the
//! same thing under two names.

use core::fmt::{self, Write as _};
use core::ops::Deref;

use crate::name::{Hex, Uuid};

/// The first two levels of every topic.
pub const PREFIX: &str = "gateward/v1";

/// The level below the account that no group may be called, because gateways live there.
pub const RESERVED: &str = "gateway";

/// The longest name of a group or a gateway in bytes.
pub const MAX_LEVEL: usize = 64;

/// A topic to subscribe or to publish to.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Topic(heapless::String<256>);

impl Topic {
    /// Every caller passes levels that were checked, so what is written is always shorter than the
    /// capacity.
    fn write(parts: fmt::Arguments<'_>) -> Self {
        let mut text = heapless::String::new();
        let written = text.write_fmt(parts);
        debug_assert!(written.is_ok(), "a topic of checked levels fits");

        Self(text)
    }

    /// Returns the topic as the broker sees it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Returns whether `text` can name a gateway, and, unless it is [`RESERVED`], a group: 1 to 64
/// letters, digits, `-` and `_`, all ASCII (INTERFACES 2).
#[must_use]
pub fn is_level(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');

    (1..=MAX_LEVEL).contains(&text.len()) && text.bytes().all(plain)
}

/// The topics of one group of gateways, all retained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GroupTopics<'a> {
    account: Uuid,
    group: &'a str,
}

impl<'a> GroupTopics<'a> {
    /// Returns none where `group` is not a name for a group.
    #[must_use]
    pub fn new(account: Uuid, group: &'a str) -> Option<Self> {
        (is_level(group) && group != RESERVED).then_some(Self { account, group })
    }

    /// The name of `what`.
    #[must_use]
    pub fn topic(&self, what: GroupTopic) -> Topic {
        let Self { account, group } = self;

        Topic::write(format_args!("{PREFIX}/{account}/{group}/{what}"))
    }

    /// Returns what a topic of this group is about; none for any other topic.
    #[must_use]
    pub fn read(&self, topic: &str) -> Option<GroupTopic> {
        let (account, rest) = below_account(topic)?;
        let (group, rest) = rest.split_once('/')?;
        if account != self.account || group != self.group {
            return None;
        }

        GroupTopic::read(rest)
    }
}

/// What a topic of a group carries.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum GroupTopic {
    /// A chunk of a snapshot.
    Chunk {
        /// The first 8 bytes of the snapshot's root.
        root: [u8; 8],
        /// Which chunk, from 0.
        index: u32,
    },
    /// A delta too large to ride along with the manifest.
    Delta {
        /// The version that it changes.
        from: u64,
    },
    /// The newest key set.
    Keys,
    /// The key set of one epoch.
    KeysOf(u32),
    /// A piece of the list of chunk hashes.
    List {
        /// The first 8 bytes of the snapshot's root.
        root: [u8; 8],
        /// Which piece, from 0.
        piece: u32,
    },
    /// The manifest, with small deltas.
    Manifest,
    /// The revocation list.
    Revoked,
    /// The time beacon.
    Time,
}

impl GroupTopic {
    fn read(rest: &str) -> Option<Self> {
        Some(match rest.split_once('/') {
            None if rest == "keys" => Self::Keys,
            None if rest == "manifest" => Self::Manifest,
            None if rest == "revoked" => Self::Revoked,
            None if rest == "time" => Self::Time,
            Some(("keys", epoch)) => Self::KeysOf(u32::try_from(number(epoch)?).ok()?),
            Some(("delta", from)) => Self::Delta { from: number(from)? },
            Some(("chunk", rest)) => {
                let (root, place) = rest.split_once('/')?;
                let root = short_root(root)?;
                match place.strip_prefix('l') {
                    Some(piece) => Self::List { root, piece: u32::try_from(number(piece)?).ok()? },
                    None => Self::Chunk { root, index: u32::try_from(number(place)?).ok()? },
                }
            }
            _ => return None,
        })
    }
}

/// The levels below the group.
impl fmt::Display for GroupTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk { root, index } => write!(f, "chunk/{}/{index}", Hex(root)),
            Self::Delta { from } => write!(f, "delta/{from}"),
            Self::Keys => f.write_str("keys"),
            Self::KeysOf(epoch) => write!(f, "keys/{epoch}"),
            Self::List { root, piece } => write!(f, "chunk/{}/l{piece}", Hex(root)),
            Self::Manifest => f.write_str("manifest"),
            Self::Revoked => f.write_str("revoked"),
            Self::Time => f.write_str("time"),
        }
    }
}

/// The topics of one gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GatewayTopics<'a> {
    account: Uuid,
    gateway: &'a str,
}

impl<'a> GatewayTopics<'a> {
    /// Returns none where `gateway` is not a name for a gateway.
    #[must_use]
    pub fn new(account: Uuid, gateway: &'a str) -> Option<Self> {
        is_level(gateway).then_some(Self { account, gateway })
    }

    /// Reads a topic of any gateway of `account`, as the control plane and the collector hear them.
    #[must_use]
    pub fn read(account: Uuid, topic: &'a str) -> Option<(Self, GatewayTopic)> {
        let (of, rest) = below_account(topic)?;
        let rest = rest.strip_prefix(RESERVED)?.strip_prefix('/')?;
        let (gateway, what) = rest.split_once('/')?;
        let what = GatewayTopic::ALL.into_iter().find(|known| known.name() == what)?;

        (of == account).then(|| Self::new(account, gateway))?.map(|topics| (topics, what))
    }

    /// The name of `what`.
    #[must_use]
    pub fn topic(&self, what: GatewayTopic) -> Topic {
        let Self { account, gateway } = self;

        Topic::write(format_args!("{PREFIX}/{account}/{RESERVED}/{gateway}/{}", what.name()))
    }

    /// The filter for `what` of every gateway of `account`. Only for the control plane and the
    /// collector: a broker may lose retained messages of a wildcard, so a gateway uses none.
    #[must_use]
    pub fn of_all(account: Uuid, what: GatewayTopic) -> Topic {
        Topic::write(format_args!("{PREFIX}/{account}/{RESERVED}/+/{}", what.name()))
    }

    /// Returns the gateway's name.
    #[must_use]
    pub const fn gateway(&self) -> &'a str {
        self.gateway
    }
}

/// What a topic of a gateway carries.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum GatewayTopic {
    /// A batch of audit records with its checkpoint, not retained.
    Audit,
    /// The collector's signed receipt, not retained.
    Receipt,
    /// What the gateway runs on, retained, and its will.
    Status,
}

impl GatewayTopic {
    const ALL: [Self; 3] = [Self::Audit, Self::Receipt, Self::Status];

    const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Receipt => "receipt",
            Self::Status => "status",
        }
    }
}

/// Splits off the account; what follows is not empty.
fn below_account(topic: &str) -> Option<(Uuid, &str)> {
    let rest = topic.strip_prefix(PREFIX)?.strip_prefix('/')?;
    let (account, rest) = rest.split_once('/')?;
    if account.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }

    Some((Uuid::parse(account)?, rest))
}

/// Reads digits without sign and without leading zeros.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let shortest = text == "0" || !text.starts_with('0');

    if digits && shortest { text.parse().ok() } else { None }
}

/// Reads 16 lower-case hexadecimal digits.
fn short_root(text: &str) -> Option<[u8; 8]> {
    if text.len() != 16 || text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }

    u64::from_str_radix(text, 16).ok().map(u64::to_be_bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};

    use super::*;

    const ACCOUNT: Uuid = Uuid([0x11; 16]);
    const ROOT: [u8; 8] = [0xab, 0xcd, 0xef, 1, 2, 3, 4, 5];

    #[test]
    fn every_topic_is_read_back_as_what_it_was_written_for() {
        let topics = GroupTopics::new(ACCOUNT, "plant-7").unwrap();
        for what in every_group_topic() {
            assert_eq!(topics.read(&topics.topic(what)), Some(what), "{what}");
        }

        let gateway = GatewayTopics::new(ACCOUNT, "edge-7a").unwrap();
        for what in GatewayTopic::ALL {
            let topic = gateway.topic(what);
            assert_eq!(GatewayTopics::read(ACCOUNT, &topic), Some((gateway, what)));
            assert_eq!(GatewayTopics::read(Uuid([2; 16]), &topic), None);
            assert_eq!(topics.read(&topic), None);
        }
    }

    #[test]
    fn the_names_are_those_of_the_contract() {
        let topics = GroupTopics::new(ACCOUNT, "plant-7").unwrap();
        let account = "11111111-1111-1111-1111-111111111111";

        assert_eq!(
            topics.topic(GroupTopic::Chunk { root: ROOT, index: 17 }).to_string(),
            std::format!("gateward/v1/{account}/plant-7/chunk/abcdef0102030405/17")
        );
        assert_eq!(
            topics.topic(GroupTopic::List { root: ROOT, piece: 1 }).to_string(),
            std::format!("gateward/v1/{account}/plant-7/chunk/abcdef0102030405/l1")
        );
        assert_eq!(
            GatewayTopics::of_all(ACCOUNT, GatewayTopic::Status).to_string(),
            std::format!("gateward/v1/{account}/gateway/+/status")
        );
    }

    #[test]
    fn the_longest_topic_fits_and_has_at_most_seven_slashes() {
        let level = "x".repeat(MAX_LEVEL);
        let topics = GroupTopics::new(ACCOUNT, &level).unwrap();
        for what in every_group_topic() {
            let topic = topics.topic(what);
            assert!(topic.ends_with(&what.to_string()), "{topic}");
            assert!(topic.bytes().filter(|byte| *byte == b'/').count() <= 7, "{topic}");
        }
    }

    #[test]
    fn another_spelling_of_a_topic_is_not_that_topic() {
        let topics = GroupTopics::new(ACCOUNT, "plant-7").unwrap();
        let base = "gateward/v1/11111111-1111-1111-1111-111111111111/plant-7";
        for rest in [
            "",
            "/",
            "/keys/",
            "/keys/01",
            "/keys/+1",
            "/keys/",
            "/keys/4294967296",
            "/manifest/",
            "/chunk/abcdef010203040/1",
            "/chunk/ABCDEF0102030405/1",
            "/chunk/abcdef0102030405/",
            "/chunk/abcdef0102030405/l",
            "/chunk/abcdef0102030405/1/2",
            "/delta/x",
            "/unknown",
            "/chunk/+bcdef0102030405/1",
        ] {
            let topic = String::from(base) + rest;
            assert_eq!(topics.read(&topic), None, "{topic}");
        }
        assert_eq!(
            topics.read("gateward/v1/11111111-1111-1111-1111-111111111111/other/keys"),
            None
        );
    }

    #[test]
    fn a_group_or_gateway_whose_name_would_change_the_topic_is_refused() {
        for bad in ["", "a/b", "+", "#", "a b", "é", &"x".repeat(65)] {
            assert_eq!(GroupTopics::new(ACCOUNT, bad), None, "{bad:?}");
            assert_eq!(GatewayTopics::new(ACCOUNT, bad), None, "{bad:?}");
        }
        assert_eq!(GroupTopics::new(ACCOUNT, "gateway"), None);
    }

    fn every_group_topic() -> [GroupTopic; 8] {
        [
            GroupTopic::Chunk { root: ROOT, index: u32::MAX },
            GroupTopic::Delta { from: u64::MAX },
            GroupTopic::Keys,
            GroupTopic::KeysOf(u32::MAX),
            GroupTopic::List { root: [0; 8], piece: u32::MAX },
            GroupTopic::Manifest,
            GroupTopic::Revoked,
            GroupTopic::Time,
        ]
    }
}
