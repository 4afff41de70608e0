//! Who may read and write which topics, in the text of mosquitto's `acl_file`.
//!
//! The same lines that a real broker reads, so that the demo proves them. Three differences, each
//! on the strict side: a `deny` wins over every other line, a SUBSCRIBE wider than what may be read
//! is refused instead of thinned out, and a mistake in the text is an error with its line.

use std::fmt;
use std::str::FromStr;

use crate::filter::{covers, is_filter};

/// An access list. Without any rule, nobody may do anything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    rules: Vec<Rule>,
}

impl Access {
    /// Reads `user NAME`, `topic [read|write|readwrite|deny] FILTER` and `pattern …` with `%u`
    /// (the identity) and `%c` (the client id). A `topic` before any `user` is for anonymous clients.
    ///
    /// # Errors
    ///
    /// [`BadAccess`], with every bad line at once.
    pub fn parse(text: &str) -> Result<Self, BadAccess> {
        let mut rules = Vec::new();
        let mut bad = Vec::new();
        let mut scope = Scope::Anonymous;

        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Line::parse(line) {
                Ok(Line::Pattern(grant, filter)) => {
                    rules.push(Rule { filter, grant, scope: Scope::Everyone });
                }
                Ok(Line::Topic(grant, filter)) => {
                    rules.push(Rule { filter, grant, scope: scope.clone() });
                }
                Ok(Line::User(name)) => scope = Scope::User(name),
                Err(why) => bad.push(BadRule { line: index + 1, text: line.to_owned(), why }),
            }
        }

        if bad.is_empty() { Ok(Self { rules }) } else { Err(BadAccess { rules: bad }) }
    }

    /// Lets everybody read and write every topic that does not begin with `$`.
    #[must_use]
    pub fn everything() -> Self {
        let rule = Rule { filter: "#".to_owned(), grant: Grant::ReadWrite, scope: Scope::Everyone };
        Self { rules: vec![rule] }
    }

    /// Whether a message on `topic` may be handed to `who`.
    pub(crate) fn may_read(&self, who: Who<'_>, topic: &str) -> bool {
        self.allows(who, topic, Grant::reads)
    }

    /// Whether `who` may subscribe to all that `filter` (without a share's group) matches.
    pub(crate) fn may_subscribe(&self, who: Who<'_>, filter: &str) -> bool {
        self.allows(who, filter, Grant::reads)
    }

    /// Whether `who` may publish on `topic`.
    pub(crate) fn may_write(&self, who: Who<'_>, topic: &str) -> bool {
        self.allows(who, topic, Grant::writes)
    }

    fn allows(&self, who: Who<'_>, topic: &str, wanted: fn(Grant) -> bool) -> bool {
        let mut allowed = false;
        for rule in &self.rules {
            if rule.applies_to(who, topic) {
                if rule.grant == Grant::Deny {
                    return false;
                }
                allowed |= wanted(rule.grant);
            }
        }
        allowed
    }
}

impl FromStr for Access {
    type Err = BadAccess;

    fn from_str(text: &str) -> Result<Self, BadAccess> {
        Self::parse(text)
    }
}

/// Who asks: a connection's identity and the client id it gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) identity: Option<&'a str>,
}

/// Every line of an access list that could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", self.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct BadAccess {
    rules: Vec<BadRule>,
}

impl BadAccess {
    /// The bad lines, in their order.
    #[must_use]
    pub fn rules(&self) -> &[BadRule] {
        &self.rules
    }
}

/// One line of an access list that could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadRule {
    line: usize,
    text: String,
    why: &'static str,
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: `{}`: {}", self.line, self.text, self.why)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Grant {
    Deny,
    Read,
    ReadWrite,
    Write,
}

impl Grant {
    fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

enum Line {
    Pattern(Grant, String),
    Topic(Grant, String),
    User(String),
}

impl Line {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let (keyword, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let rest = rest.trim();
        match keyword {
            "pattern" => granted(rest).map(|(grant, filter)| Self::Pattern(grant, filter)),
            "topic" => granted(rest).map(|(grant, filter)| Self::Topic(grant, filter)),
            "user" if rest.is_empty() => Err("no name; write `user NAME`"),
            "user" => Ok(Self::User(rest.to_owned())),
            _ => Err("unknown; lines begin with `user`, `topic`, `pattern` or `#`"),
        }
    }
}

/// As in mosquitto, the kind of access may be left out and then is `readwrite`.
fn granted(rest: &str) -> Result<(Grant, String), &'static str> {
    let (word, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let (grant, filter) = match word {
        "deny" => (Grant::Deny, after),
        "read" => (Grant::Read, after),
        "readwrite" => (Grant::ReadWrite, after),
        "write" => (Grant::Write, after),
        _ => (Grant::ReadWrite, rest),
    };
    let filter = filter.trim();
    if is_filter(filter) {
        Ok((grant, filter.to_owned()))
    } else {
        Err("not a topic filter; `+` and `#` fill a whole level, `#` the last one")
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Rule {
    filter: String,
    grant: Grant,
    scope: Scope,
}

impl Rule {
    fn applies_to(&self, who: Who<'_>, topic: &str) -> bool {
        match &self.scope {
            Scope::Anonymous => who.identity.is_none() && covers(&self.filter, topic),
            Scope::Everyone => self.filled_in(who).is_some_and(|filter| covers(&filter, topic)),
            Scope::User(name) => who.identity == Some(name.as_str()) && covers(&self.filter, topic),
        }
    }

    /// A name with a wildcard or a `/` in it would widen the pattern, so it fits none.
    fn filled_in(&self, who: Who<'_>) -> Option<String> {
        let mut filter = self.filter.clone();
        for (mark, name) in [("%u", who.identity), ("%c", Some(who.client_id))] {
            if filter.contains(mark) {
                let name =
                    name.filter(|name| !name.is_empty() && !name.contains(['+', '#', '/']))?;
                filter = filter.replace(mark, name);
            }
        }
        Some(filter)
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Scope {
    Anonymous,
    Everyone,
    User(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "
        # anonymous
        topic read public/#

        user edge-7
        topic read gateward/v1/acme/all/#
        topic write gateward/v1/acme/gateway/edge-7/audit
        topic deny gateward/v1/acme/all/secret
        topic both ways

        user edge-8
        topic readwrite only/eight

        pattern write home/%u/%c
    ";

    fn who(identity: Option<&str>) -> Who<'_> {
        Who { client_id: "c1", identity }
    }

    #[test]
    fn each_user_has_the_topics_below_its_own_line() {
        let access = Access::parse(LIST).unwrap();
        let seven = who(Some("edge-7"));
        let eight = who(Some("edge-8"));

        assert!(access.may_read(seven, "gateward/v1/acme/all/manifest"));
        assert!(!access.may_write(seven, "gateward/v1/acme/all/manifest"));
        assert!(access.may_write(seven, "gateward/v1/acme/gateway/edge-7/audit"));
        assert!(!access.may_write(seven, "gateward/v1/acme/gateway/edge-8/audit"));
        assert!(!access.may_read(seven, "only/eight"));
        assert!(access.may_write(eight, "only/eight") && access.may_read(eight, "only/eight"));
        assert!(access.may_write(seven, "both ways") && access.may_read(seven, "both ways"));
        assert!(!access.may_read(seven, "public/a"));
        assert!(access.may_read(who(None), "public/a"));
    }

    #[test]
    fn deny_wins_and_a_wide_subscription_is_refused() {
        let access = Access::parse(LIST).unwrap();
        let seven = who(Some("edge-7"));

        assert!(!access.may_read(seven, "gateward/v1/acme/all/secret"));
        assert!(access.may_subscribe(seven, "gateward/v1/acme/all/+"));
        assert!(!access.may_subscribe(seven, "gateward/v1/acme/#"));
        assert!(!access.may_subscribe(seven, "#"));
    }

    #[test]
    fn a_pattern_cannot_be_widened_by_a_name() {
        let access = Access::parse(LIST).unwrap();
        let named = |identity, client_id| Who { client_id, identity };

        assert!(access.may_write(named(Some("eve"), "c1"), "home/eve/c1"));
        assert!(!access.may_write(named(Some("eve"), "c1"), "home/bob/c1"));
        assert!(!access.may_write(named(Some("+"), "c1"), "home/bob/c1"));
        assert!(!access.may_write(named(Some("bob/c1"), "x"), "home/bob/c1"));
        assert!(!access.may_write(named(Some("eve"), "#"), "home/eve/c1"));
        assert!(!access.may_write(named(None, "c1"), "home/%u/c1"));
    }

    #[test]
    fn every_bad_line_is_named_at_once() {
        let error = Access::parse("usr x\ntopic read a/#/b\nuser\ntopic read a\n").unwrap_err();
        assert_eq!(error.rules().len(), 3);
        assert!(error.to_string().contains("line 2: `topic read a/#/b`: not a topic filter"));
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let access = Access::parse("").unwrap();
        assert!(!access.may_read(who(None), "a") && !access.may_write(who(Some("x")), "a"));
        assert!(Access::everything().may_write(who(None), "a"));
    }
}
