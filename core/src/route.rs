//! Method and request target → the rule that says what is needed, without allocation.
//!
//! The table is data (`data/routes.tsv`, DOMAIN section 7) and a snapshot may add to it. Whatever
//! could be read in two ways, by us and by the upstream, is no route: nothing here repairs a path.

mod mask;
mod path;
mod pattern;
mod query;
mod record;
mod rule;
mod source;

pub use mask::mask_tokens;
pub use path::NormalPath;
pub use pattern::{BadPattern, Pattern};
pub use record::RuleRecord;
pub use rule::{Accepts, AnyOf, BadRule, Methods, RouteOperation, Rule, UnknownPermission};
pub use source::{DivisionSource, ResourceKind, resource_id};

use core::cmp::Ordering;
use core::fmt;

use crate::decide::Reason;
use crate::name::Uuid;
use crate::permission::Operation;
use path::{Path, Segments};

/// The bit in [`Found::number`] of a rule that the snapshot added.
pub const ADDED: u16 = 0x8000;

/// The rule for one request, and what the request says about its division.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The rule.
    pub rule: Rule<'a>,
    /// Its place in [`RULES`], or [`ADDED`] and its place among the added ones; for records.
    pub number: u16,
    /// The division that the request names, where the rule looks for one.
    pub division: DivisionText,
    /// The item that the path names, where the rule ties it to a division and its id is one.
    pub resource_id: Option<Uuid>,
    /// The path as records show it.
    pub path: NormalPath,
}

/// Which credential a request carries, as far as a rule depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// More than one, in whatever form.
    Conflict,
    /// None that counts.
    Nothing,
    /// A device's passcode and no token.
    Passcode,
    /// The text of a token.
    Token,
}

impl Found<'_> {
    /// Returns what settles the request before a token is looked at, or none where the token
    /// decides (DOMAIN section 4, steps 2 and 3).
    #[must_use]
    pub const fn settles(&self, sent: Sent) -> Option<Reason> {
        let accepts = self.rule.accepts;
        match sent {
            _ if matches!(self.rule.operation, RouteOperation::Public) => Some(Reason::OkPublic),
            Sent::Conflict => Some(Reason::CredentialConflict),
            Sent::Nothing | Sent::Passcode if accepts.device() => Some(Reason::PassthroughDevice),
            Sent::Passcode if accepts.passcode() => Some(Reason::PassthroughDevice),
            Sent::Nothing | Sent::Passcode => Some(Reason::MissingCredential),
            Sent::Token if !accepts.key() => Some(Reason::CredentialNotAccepted),
            Sent::Token => None,
        }
    }
}

/// What a request says about its division.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DivisionText {
    /// Nothing; the upstream filters by the scope that it is handed (DOMAIN D11).
    Absent,
    /// Something that is not one id, or two of them: to be denied (DOMAIN D13).
    Bad,
    /// This division.
    Id(Uuid),
}

/// No rule lets the request through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoRoute {
    /// The path is known, with other methods.
    Method,
    /// The path is not known, could be read in two ways, or is switched off.
    Unknown,
}

impl NoRoute {
    /// Returns the reason for records.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Method => Reason::MethodNotAllowed,
            Self::Unknown => Reason::RouteUnknown,
        }
    }
}

impl fmt::Display for NoRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason().text())
    }
}

impl core::error::Error for NoRoute {}

/// Finds the rule for `method` on `target`, the request target as it was sent.
///
/// `added` are the rules of the snapshot; one with the id of a built-in rule stands in for it. The
/// most specific pattern decides, whether its rule is switched on or not: a rule that is off never
/// hands its requests to a weaker one (DOMAIN G16).
///
/// # Errors
///
/// No rule knows the path or the method, or two rules have the same claim (DOMAIN G12).
pub fn find<'a>(
    method: &str,
    target: &str,
    added: impl Iterator<Item = Rule<'a>> + Clone,
) -> Result<Found<'a>, NoRoute> {
    let (raw, query) = path::split(target).ok_or(NoRoute::Unknown)?;
    let path = Path::read(raw).ok_or(NoRoute::Unknown)?;
    let segments = path.segments().ok_or(NoRoute::Unknown)?;
    let (rule, number) = winner(Methods::one(method), &segments, added)?;
    let named = rule.division_segment().and_then(|at| segments.get(at)).copied();

    Ok(Found {
        rule,
        number,
        division: match rule.division {
            DivisionSource::PathDivision => named.map_or(DivisionText::Absent, |text| {
                Uuid::parse(text).map_or(DivisionText::Bad, DivisionText::Id)
            }),
            DivisionSource::Query => query.map_or(DivisionText::Absent, query::division),
            DivisionSource::None | DivisionSource::PathResource(_) | DivisionSource::Upstream => {
                DivisionText::Absent
            }
        },
        resource_id: match rule.division {
            DivisionSource::PathResource(_) => named.and_then(resource_id),
            DivisionSource::None
            | DivisionSource::PathDivision
            | DivisionSource::Query
            | DivisionSource::Upstream => None,
        },
        path: path.normal(),
    })
}

/// Returns the rule with this number, as [`Found::number`] gives it.
#[must_use]
pub fn numbered<'a>(number: u16, mut added: impl Iterator<Item = Rule<'a>>) -> Option<Rule<'a>> {
    let at = usize::from(number & !ADDED);

    if number & ADDED == 0 { RULES.get(at).copied() } else { added.nth(at) }
}

/// Returns whether one request can match both rules with equal weight (DOMAIN G12).
///
/// Rules with the same id are compared too: which of them stands in for which is the caller's to
/// know.
#[must_use]
pub fn ambiguous(one: &Rule<'_>, other: &Rule<'_>) -> bool {
    one.methods.intersect(other.methods) && one.pattern.equals(other.pattern)
}

/// The rule with the best claim so far.
struct Best<'a> {
    rule: Rule<'a>,
    number: u16,
    tied: bool,
}

fn winner<'a>(
    method: Option<Methods>,
    segments: &Segments<'_>,
    added: impl Iterator<Item = Rule<'a>> + Clone,
) -> Result<(Rule<'a>, u16), NoRoute> {
    let replaced = |id: &str| added.clone().any(|rule| rule.id == id);
    let built_in = RULES
        .iter()
        .zip(0..)
        .map(|(rule, number)| (*rule, number))
        .filter(|(rule, _)| rule.pattern.matches(segments) && !replaced(rule.id));
    let of_snapshot = added.clone().zip(ADDED..).filter(|(rule, _)| rule.pattern.matches(segments));

    let mut refusal = NoRoute::Unknown;
    let mut best: Option<Best<'_>> = None;
    for (rule, number) in built_in.chain(of_snapshot) {
        let Some(method) = method.filter(|method| rule.methods.allow(*method)) else {
            if rule.enabled {
                refusal = NoRoute::Method;
            }
            continue;
        };
        let claim = best.as_ref().map_or(Ordering::Greater, |best| {
            let by_path = rule.pattern.specificity(best.rule.pattern);
            let by_name =
                || rule.methods.intersect(method).cmp(&best.rule.methods.intersect(method));
            by_path.then_with(by_name)
        });
        match (claim, &mut best) {
            (Ordering::Equal, Some(best)) => best.tied = true,
            (Ordering::Greater, _) => best = Some(Best { rule, number, tied: false }),
            (Ordering::Equal | Ordering::Less, _) => {}
        }
    }

    match best {
        Some(best) if best.rule.enabled && !best.tied => Ok((best.rule, best.number)),
        Some(_) => Err(NoRoute::Unknown),
        None => Err(refusal),
    }
}

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

#[cfg(test)]
mod tests;
