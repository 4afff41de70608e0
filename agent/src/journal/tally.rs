//! Refusals of one second that ask the same: the first is a record, the others are counts.
//!
//! Whether a request is counted, and how many records a second ends with, follows from what its
//! sender knows ([`Asked`]) and never from why it was refused; else whoever asks twice would learn
//! from an answer, its time or its number whether the reason was the same (DOMAIN J1 to J3). So a
//! second in which the same was asked for more than once more ends with two records for it, of one
//! reason or of two: a readable token is known with one secret at most, and every other is wrong.

use std::collections::HashMap;

use gateward_core::audit::{Credential, Outcome, Source, Text};
use gateward_core::decide::{Class, Reason};

use super::{Draft, NotWritten, Written};

/// The most that is told apart in one second. What comes after it has a record each, or, where nobody
/// waits for it, is counted by its outcome alone.
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
}

/// All that decides whether a request is counted; whoever sent it knows this.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Asked {
    /// [`Draft::asked`].
    number: u64,
    /// Allow, 401, 403 or 503: it is answered.
    class: Class,
    passthrough: bool,
    /// Why there is no token that could be looked up; the text alone says that.
    unreadable: Option<Reason>,
    /// As it was presented, whether its secret matched or not.
    credential: Credential,
    source: Source,
    snapshot_version: u64,
    stale: bool,
}

impl Asked {
    fn of(draft: &Draft) -> Option<Self> {
        let number = draft.asked?;
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
            number,
            class: reason.class(),
            passthrough,
            unreadable: is_unreadable(reason).then_some(reason),
            credential,
            source: draft.source,
            snapshot_version: draft.snapshot_version,
            stale: draft.stale,
        })
    }
}

/// Returns whether the credential as it was sent is the reason, whatever the snapshot says.
const fn is_unreadable(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::MissingCredential
            | Reason::MalformedToken
            | Reason::BadChecksum
            | Reason::CredentialConflict
            | Reason::CredentialNotAccepted
    )
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
    ///
    /// Takes everything but its outcome from a draft that nobody waits for and that has no place.
    pub(crate) fn meet(&mut self, draft: &mut Draft, somebody_waits: bool) -> Met {
        let Some(mut asked) = Asked::of(draft) else { return Met::Alone };
        if self.groups.len() >= MOST && !self.places.contains_key(&asked) {
            if somebody_waits {
                return Met::Alone;
            }
            *draft = Draft { asked: Some(0), ..Draft::new(draft.outcome, draft.stamp) };
            let Some(of_its_outcome) = Asked::of(draft) else { return Met::Alone };
            asked = of_its_outcome;
        }

        match self.places.get(&asked) {
            Some(&place) => Met::Counted(place),
            None => Met::First(self.add(asked, Err(NotWritten::Failed))),
        }
    }

    /// Counts what [`Self::meet`] says is counted.
    pub(crate) fn count(&mut self, place: usize, draft: Draft) {
        if let Some(group) = self.groups.get_mut(place) {
            group.count(draft);
        }
    }

    /// Returns whether what is counted there lets somebody through to what is not guarded: allows of
    /// anything else are never counted.
    pub(crate) fn needs_no_room(&self, place: usize) -> bool {
        let group = self.groups.get(place);

        group.is_some_and(|group| group.asked.passthrough || group.asked.class == Class::Allow)
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
            self.places = places.map(|(place, group)| (group.asked, place)).collect();
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
        self.places.insert(asked, place);
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
}

#[cfg(test)]
mod tests;
