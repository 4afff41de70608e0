//! Refusals of one second that ask the same: the first is a record, the others are counts.
//!
//! Whether a request is counted, and how many records a second ends with, follows from what its
//! sender knows ([`Asked`]) and never from why it was refused; else whoever asks twice would learn
//! from the time of an answer whether the reason was the same (DOMAIN J1 to J3). So a second in
//! which the same was asked for more than once more ends with two records for it, of one reason or
//! of two: a token is known with one secret at most, and every other secret is wrong.

use std::collections::HashMap;

use gateward_core::audit::{
    Credential, MAX_ACTION, MAX_PATH, MAX_RESOURCE, Method, Outcome, Source, Text,
};
use gateward_core::decide::Class;
use gateward_core::name::Uuid;
use gateward_core::permission::Operation;

use super::{Draft, NotWritten, Written};

/// The most that is told apart in one second; what comes after it gets a record each.
const MOST: usize = 256;

/// What becomes of a request's record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Met {
    /// It has a record of its own.
    Alone,
    /// It has a record of its own, and those that ask the same are counted from now on.
    First(usize),
    /// It is counted.
    Counted(usize),
    /// Nobody waits for it, and there is no place for it.
    Beyond,
}

/// All that decides whether a request is counted; whoever sent it knows this.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Asked {
    class: Class,
    passthrough: bool,
    /// As it was presented, whether its secret matched or not.
    credential: Credential,
    action: Text<MAX_ACTION>,
    operation: Option<Operation>,
    division: Option<Uuid>,
    resource: Text<MAX_RESOURCE>,
    method: Option<Method>,
    path: Text<MAX_PATH>,
    route: Option<u16>,
    source: Source,
    snapshot_version: u64,
    stale: bool,
}

impl Asked {
    fn of(draft: &Draft) -> Option<Self> {
        let (passthrough, reason) = match draft.outcome {
            Outcome::Allow(reason) | Outcome::Deny(reason) => (false, reason),
            Outcome::Passthrough(reason) => (true, reason),
            Outcome::Event(_) => return None,
        };
        let credential = if let Credential::Verified(lookup) = draft.credential {
            Credential::Unverified(lookup)
        } else {
            draft.credential
        };

        Some(Self {
            class: reason.class(),
            passthrough,
            credential,
            action: draft.action.clone(),
            operation: draft.operation,
            division: draft.division,
            resource: draft.resource.clone(),
            method: draft.method,
            path: draft.path.clone(),
            route: draft.route,
            source: draft.source,
            snapshot_version: draft.snapshot_version,
            stale: draft.stale,
        })
    }
}

/// What asks the same, in one second.
#[derive(Debug)]
struct Group {
    asked: Asked,
    first: Result<Written, NotWritten>,
    /// What was counted, by reason and owner; each draft is the last of its kind.
    kinds: Vec<Draft>,
}

/// A count that is to be written down.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) draft: Draft,
    first: Written,
}

/// What was counted since the second began.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    groups: Vec<Group>,
    places: HashMap<Asked, usize>,
}

impl Tally {
    /// Says what becomes of the record of `draft`.
    pub(crate) fn meet(&mut self, draft: &Draft, somebody_waits: bool) -> Met {
        let Some(asked) = draft.may_be_counted.then(|| Asked::of(draft)).flatten() else {
            return Met::Alone;
        };
        if let Some(&place) = self.places.get(&asked) {
            return Met::Counted(place);
        }
        if self.groups.len() >= MOST {
            return if somebody_waits { Met::Alone } else { Met::Beyond };
        }

        Met::First(self.add(asked, Err(NotWritten::Failed)))
    }

    /// Counts what [`Self::meet`] says is counted.
    pub(crate) fn count(&mut self, place: usize, draft: Draft) {
        if let Some(group) = self.groups.get_mut(place) {
            group.count(draft);
        }
    }

    /// Notes what became of a first record.
    pub(crate) fn began(&mut self, place: usize, first: Result<Written, NotWritten>) {
        if let Some(group) = self.groups.get_mut(place) {
            group.first = first;
        }
    }

    /// Returns what whoever is counted is told: the record that theirs is counted with.
    pub(crate) fn first(&self, place: usize) -> Result<Written, NotWritten> {
        self.groups.get(place).map_or(Err(NotWritten::Failed), |group| group.first)
    }

    /// Counts nothing to a record that there is not; to be called when all have their answer.
    pub(crate) fn forget_unwritten(&mut self) {
        if self.groups.iter().any(|group| group.first.is_err()) {
            self.groups.retain(|group| group.first.is_ok());
            let places = self.groups.iter().enumerate();
            self.places = places.map(|(place, group)| (group.asked.clone(), place)).collect();
        }
    }

    /// Returns whether a second is running.
    pub(crate) fn is_open(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Ends the second: returns what is to be written down, and begins with nothing.
    pub(crate) fn end(&mut self) -> Vec<Sum> {
        self.places.clear();
        let ended = self.groups.drain(..);

        ended
            .filter_map(|group| Some((group.first.ok()?, group)))
            .flat_map(|(first, group)| {
                group.drafts().into_iter().map(move |d| Sum { draft: d, first })
            })
            .collect()
    }

    /// Takes back what there was no room for; it is counted on.
    pub(crate) fn take_back(&mut self, sum: Sum) {
        let Some(asked) = Asked::of(&sum.draft) else { return };
        let place = self.places.get(&asked).copied();
        let place = place.unwrap_or_else(|| self.add(asked, Ok(sum.first)));
        self.count(place, sum.draft);
    }

    fn add(&mut self, asked: Asked, first: Result<Written, NotWritten>) -> usize {
        let place = self.groups.len();
        self.places.insert(asked.clone(), place);
        self.groups.push(Group { asked, first, kinds: Vec::with_capacity(2) });

        place
    }
}

impl Group {
    /// Moves the draft: what is copied takes the longer, the longer a name it has.
    fn count(&mut self, mut draft: Draft) {
        // The caller's number is that of one request.
        draft.request_id = Text::default();
        match self.kinds.iter_mut().find(|kind| is_alike(kind, &draft)) {
            Some(kind) => {
                draft.count = draft.count.saturating_add(kind.count);
                *kind = draft;
            }
            None => self.kinds.push(draft),
        }
    }

    /// The records that this group ends with: as many as its number of requests says.
    fn drafts(mut self) -> Vec<Draft> {
        if let ([only], Class::Authn) = (&mut *self.kinds, self.asked.class)
            && only.count > 1
        {
            only.count -= 1;
            let other = Draft { count: 1, ..only.clone() };
            self.kinds.push(other);
        }

        self.kinds
    }
}

/// Returns whether two that ask the same were refused for the same reason, and as the same.
fn is_alike(one: &Draft, other: &Draft) -> bool {
    one.outcome == other.outcome
        && one.authentication == other.authentication
        && one.principal == other.principal
        && one.credential == other.credential
        && one.permission == other.permission
}

#[cfg(test)]
mod tests;
