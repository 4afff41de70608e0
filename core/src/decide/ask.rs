//! What is asked of a credential, as masks: resolved once, before anything is known of the token.

use crate::division::Target;
use crate::permission::{Entry, Operation, PermissionSet};
use crate::route::{DivisionSource, DivisionText, Found, RouteOperation};
use crate::snapshot::View;

/// Who puts the question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A program that acts on the answer: what it does not say counts against it (DOMAIN D14).
    Direct,
    /// A proxy before an upstream that checks the same key again, and is handed the scope
    /// (DOMAIN D11).
    Proxy,
}

/// A request, resolved against the catalogue and a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ask {
    any_of: PermissionSet,
    /// Those of them that count for an operation from which system users are not barred.
    unbarred: PermissionSet,
    fresh: bool,
    target: Target,
}

impl Ask {
    /// Asks for any of `ids`, for `operation`, in `division`.
    ///
    /// A permission counts only for operations that it can grant; where none is given, each counts
    /// for the strictest that it can mean. An unknown id grants nothing (DOMAIN N6, INTERFACES
    /// section 5).
    pub fn of_permissions<'i>(
        view: &View<'_>,
        ids: impl Iterator<Item = &'i str>,
        operation: Option<Operation>,
        division: Option<&str>,
        mode: Mode,
    ) -> Self {
        let entries = ids.map(|id| view.ext().permission(id));

        Self::of_entries(view, entries, operation, division, mode)
    }

    /// Asks for any permission of `set`, as [`Ask::of_permissions`] does for those with these bits.
    #[must_use]
    pub fn of_set(
        view: &View<'_>,
        set: PermissionSet,
        operation: Option<Operation>,
        division: Option<&str>,
        mode: Mode,
    ) -> Self {
        let entries = set.iter().map(|permission| view.ext().entry(permission));

        Self::of_entries(view, entries, operation, division, mode)
    }

    /// What is unknown is none.
    fn of_entries<'e>(
        view: &View<'_>,
        entries: impl Iterator<Item = Option<Entry<'e>>>,
        operation: Option<Operation>,
        division: Option<&str>,
        mode: Mode,
    ) -> Self {
        let mut ask = Self::nothing();
        let mut scoped = false;
        let mut needs_fresh = Fresh::default();
        for entry in entries {
            let Some(entry) = entry else {
                scoped = true;
                continue;
            };
            scoped |= entry.division_scoped;
            let operation = operation.unwrap_or_else(|| entry.strictest());
            for fresh in ask.add_with_wider(&entry, operation) {
                needs_fresh.add(fresh);
            }
        }
        ask.fresh = needs_fresh.every();
        ask.target = match division {
            _ if !scoped => Target::Unscoped,
            Some(name_or_id) => view.division(name_or_id),
            None => open(mode),
        };

        ask
    }

    /// Asks for what a rule of the route table asks for.
    ///
    /// `division` is what the caller says beside the path; where both name one and differ, nobody
    /// passes. A rule without permissions grants nothing (DOMAIN A18).
    #[must_use]
    pub fn of_route(
        view: &View<'_>,
        found: &Found<'_>,
        division: Option<&str>,
        mode: Mode,
    ) -> Self {
        let mut ask = Self::nothing();
        let RouteOperation::Needs(operation) = found.rule.operation else { return ask };
        let entry = |id: &str| view.ext().permission(id);
        // A rule that names an unknown permission says something that this build does not
        // understand, so nobody passes (DOMAIN A17).
        if found.rule.permissions.ids().any(|id| entry(id).is_none()) {
            return ask;
        }
        let mut scoped = false;
        for entry in found.rule.permissions.ids().filter_map(entry) {
            scoped |= entry.division_scoped;
            let _said_by_the_rule = ask.add_with_wider(&entry, operation);
        }
        ask.fresh = found.rule.fresh;
        ask.target = match (of_path(view, found), division.map(|text| view.division(text))) {
            _ if !scoped || found.rule.division == DivisionSource::None => Target::Unscoped,
            (None, None) => open(mode),
            (Some(target), None) | (None, Some(target)) => target,
            (Some(target), Some(stated)) if target == stated => target,
            (Some(_), Some(_)) => Target::Malformed,
        };

        ask
    }

    const fn nothing() -> Self {
        Self {
            any_of: PermissionSet::EMPTY,
            unbarred: PermissionSet::EMPTY,
            fresh: false,
            target: Target::Unscoped,
        }
    }

    /// Lets `entry` count for `operation`, and for reading whatever includes it (DOMAIN 3.2); see
    /// [`Self::add`] for what is returned of each.
    fn add_with_wider(&mut self, entry: &Entry<'_>, operation: Operation) -> [Option<bool>; 2] {
        let wider = entry.read_through().filter(|_| operation == Operation::Read);

        [self.add(entry, operation), wider.and_then(|wider| self.add(wider, operation))]
    }

    /// Lets `entry` count for `operation` if it can grant it; returns whether it does only while
    /// the snapshot is fresh.
    fn add(&mut self, entry: &Entry<'_>, operation: Operation) -> Option<bool> {
        if !entry.ops.contains(operation) {
            return None;
        }
        self.any_of = self.any_of.union(entry.permission.set());
        if !operation.bars_system_users() {
            self.unbarred = self.unbarred.union(entry.permission.set());
        }

        Some(entry.fresh_ops.contains(operation))
    }

    /// Returns the permissions of which any suffices.
    #[must_use]
    pub const fn any_of(&self) -> PermissionSet {
        self.any_of
    }

    /// Returns those of them that do not count for system users.
    #[must_use]
    pub const fn barred(&self) -> PermissionSet {
        PermissionSet(self.any_of.0 & !self.unbarred.0)
    }

    /// Returns whether it is refused once the snapshot is stale.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Returns what it is about.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
    }
}

/// Returns what the path or the query is about, or none where they leave that open (DOMAIN D11, D12,
/// D13, D16).
fn of_path(view: &View<'_>, found: &Found<'_>) -> Option<Target> {
    match (found.rule.division, found.division) {
        (DivisionSource::PathResource(kind), _) => view.resource(kind.byte(), found.resource_id?),
        (_, DivisionText::Bad) => Some(Target::Malformed),
        (_, DivisionText::Id(id)) => Some(view.division_of(id)),
        (_, DivisionText::Absent) => None,
    }
}

const fn open(mode: Mode) -> Target {
    match mode {
        Mode::Direct => Target::Unspecified,
        Mode::Proxy => Target::Upstream,
    }
}

/// A request needs a fresh snapshot where every permission that grants it does.
#[derive(Default)]
struct Fresh {
    any: bool,
    any_lasting: bool,
}

impl Fresh {
    fn add(&mut self, fresh: Option<bool>) {
        self.any |= fresh == Some(true);
        self.any_lasting |= fresh == Some(false);
    }

    const fn every(&self) -> bool {
        self.any && !self.any_lasting
    }
}
