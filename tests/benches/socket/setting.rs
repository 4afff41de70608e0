//! Who asks, and how the agent keeps its records while it is asked.

use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Lookup, Secret, Token};
use gateward_tests::{Deck, Gateway, lookup, until};

use crate::caller::Caller;

/// Every reason for a 401 that somebody might want to tell apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Class {
    Unknown,
    /// Another unknown one: what equals itself must look equal.
    UnknownAgain,
    SecretFirst,
    SecretLast,
    TokenDisabled,
    /// Of a user with a long name who is limited to many divisions.
    OwnerDisabled,
    Malformed,
    /// Unknown, and held back by the caller.
    Delayed,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Unknown,
        Self::UnknownAgain,
        Self::SecretFirst,
        Self::SecretLast,
        Self::TokenDisabled,
        Self::OwnerDisabled,
        Self::Malformed,
        Self::Delayed,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown id",
            Self::UnknownAgain => "unknown id, another",
            Self::SecretFirst => "wrong first byte",
            Self::SecretLast => "wrong last byte",
            Self::TokenDisabled => "token disabled",
            Self::OwnerDisabled => "owner disabled",
            Self::Malformed => "malformed",
            Self::Delayed => "delayed",
        }
    }
}

/// Stands in a request where the number of the device is.
pub(crate) const NUMBER: &str = "00000000";

/// How records are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Setting {
    /// The quarter of denials is used up: there is no record and no count.
    UsedUp,
    /// Each asks what others ask within the same second: it is counted, but for the first.
    Counted,
    /// Each asks something else and has a record of its own, durable soon after.
    Interval,
    /// Each asks something else and has a record of its own, durable before the answer.
    Group,
}

impl Setting {
    /// With the smallest audit first.
    pub(crate) const ALL: [Self; 4] = [Self::UsedUp, Self::Counted, Self::Interval, Self::Group];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UsedUp => "audit `group`, the share of denials used up",
            Self::Counted => "audit `group`, what asks the same is counted",
            Self::Interval => "audit `interval`, a record each",
            Self::Group => "audit `group`, a record each and a sync before its answer",
        }
    }

    pub(crate) fn waits_for_the_disk(self) -> bool {
        self == Self::Group
    }

    /// The share of all answers that is kept: what took longer was interrupted, or met a busy disk.
    pub(crate) fn kept(self) -> f64 {
        if self.waits_for_the_disk() { 0.5 } else { 0.9 }
    }

    /// Returns whether no request asks what another one asks.
    pub(crate) fn asks_something_else(self) -> bool {
        self != Self::Counted
    }

    /// Starts the agent so.
    pub(crate) fn start(self, gateway: &mut Gateway) {
        // One caller asks more often here than any machine would.
        gateway.set("LIMITS__FAILED_PER_S", "100000");
        gateway.set("LIMITS__ALLOW_PER_S", "100000");
        let durability = if self == Self::Interval { "interval" } else { "group" };
        gateway.set("AUDIT__DURABILITY", durability);
        let bytes = if self == Self::UsedUp { "1048576" } else { "4294967296" };
        gateway.set("AUDIT__MAX_BYTES", bytes);
        gateway.start_ready();
    }

    /// Makes sure that the agent kept as many records as it should have: `before` is how many there
    /// were before it was asked so often.
    pub(crate) fn was_kept(self, gateway: &Gateway, before: u64, asked: u64) {
        let more = || written(gateway) - before;
        match self {
            Self::UsedUp => assert!(more() < 10, "{} records of {asked} requests", more()),
            // A slow machine is asked a few times a second about each class; three records then.
            Self::Counted => {
                assert!(more() < asked / 2, "{} records of {asked} requests", more());
            }
            Self::Interval | Self::Group => {
                until("a record of every request", || (more() >= asked).then_some(()));
            }
        }
    }

    /// Brings the agent into the state that is measured.
    pub(crate) fn prepare(self, caller: &mut Caller) {
        // A quarter of the smallest audit is full after less than 3,000 records.
        let first = if self == Self::UsedUp { 4_000 } else { 0 };
        for _ in 0..first {
            caller.ask(Class::Unknown);
        }
    }
}

/// Returns how many records are durable.
pub(crate) fn written(gateway: &Gateway) -> u64 {
    gateway.status()["audit"]["seq"].as_u64().expect("a number")
}

/// A control plane whose tokens give every class.
#[derive(Debug)]
pub(crate) struct World {
    deck: Deck,
    known: String,
    disabled: String,
    owner_disabled: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let deck = Deck::new();
        let known = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let disabled = deck.user_token("ana.ruiz", "off");
        deck.disable(&disabled);
        let name = "a.name.as.long.as.names.may.be".repeat(4);
        let limited = ["--role", "iot_account_admin", "--division", "plant-7"];
        let owner_disabled = deck.user(&name, &limited);
        drop(deck.control("user disable", &[&name]).ok());
        deck.publish();

        Self { deck, known, disabled, owner_disabled }
    }

    /// Enrols the gateway that is asked.
    pub(crate) fn gateway(&self) -> Gateway {
        self.deck.gateway("edge-7a")
    }

    /// Returns what `class` sends; always as many bytes.
    pub(crate) fn request(&self, class: Class) -> Vec<u8> {
        let token = match class {
            Class::Unknown | Class::Delayed => text_of(1, &Secret([1; 32])),
            Class::UnknownAgain => text_of(u64::MAX, &Secret([2; 32])),
            Class::SecretFirst => self.with_a_wrong_byte(0),
            Class::SecretLast => self.with_a_wrong_byte(31),
            Class::TokenDisabled => self.disabled.clone(),
            Class::OwnerDisabled => self.owner_disabled.clone(),
            Class::Malformed => {
                let mut text = self.known.clone();
                text.replace_range(30..31, "!");
                text
            }
        };

        format!(
            "GET /v1/auth/nginx HTTP/1.1\r\nhost: localhost\r\nx-original-method: GET\r\n\
             x-original-uri: /iot/api/v1/device/{NUMBER}\r\nx-api-key: {token}\r\n\r\n"
        )
        .into_bytes()
    }

    fn with_a_wrong_byte(&self, at: usize) -> String {
        let id = Lookup::parse(lookup(&self.known)).expect("a token has an id").id;
        let token = Token::read(self.known.as_bytes()).expect("it is a token");
        let mut secret = token.secret().clone();
        secret.0[at] ^= 1;

        text_of(id, &secret)
    }
}

fn text_of(id: u64, secret: &Secret) -> String {
    String::from_utf8_lossy(&token::write(TokenKind::Api, id, secret)).into_owned()
}
