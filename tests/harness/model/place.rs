//! What a request is about, and whether that is within somebody's scope.

use super::{Account, Principal, Request, Route, Set};

/// What a request is about.
pub(super) enum Target {
    Division(String),
    NoDivision,
    NotLimitedByDivisions,
    SomeOtherDivision,
    TwoOrNonsense,
    Unknown,
}

impl Account {
    /// Returns whether the group's snapshot holds somebody (INTERFACES 2).
    pub(super) fn knows(&self, principal: &Principal) -> bool {
        let reaches = match (&self.group, &principal.divisions) {
            (Some(group), Some(divisions)) => group.iter().any(|name| divisions.contains(name)),
            _ => true,
        };

        reaches && principal.status != "deleted"
    }

    /// Returns whether the group's snapshot holds a division: one of the group, or one that
    /// somebody in it is limited to.
    fn ships(&self, division: &str) -> bool {
        let limited = |principal: &Principal| {
            let divisions = principal.divisions.as_ref();
            self.knows(principal) && divisions.is_some_and(|set| set.contains(division))
        };

        self.group.as_ref().is_none_or(|group| group.contains(division))
            || self.principals.iter().any(limited)
    }

    pub(super) fn target(&self, name_or_id: &str) -> Target {
        let named = |(id, name): &&(String, String)| {
            id.eq_ignore_ascii_case(name_or_id) || name == name_or_id
        };
        match self.divisions.iter().find(named) {
            Some((_, name)) if self.ships(name) => Target::Division(name.clone()),
            _ => Target::SomeOtherDivision,
        }
    }

    /// Returns what a path or a query is about.
    pub(super) fn named_by(&self, route: &Route, path: &[String], query: &[String]) -> Target {
        let slot = |name: &str| {
            let exact = route.pattern.iter().position(|piece| piece == name);
            let at = exact.or_else(|| route.pattern.iter().position(|piece| piece == "**"))?;
            path.get(at)
        };
        match route.division.as_str() {
            "path:division" => slot("{division}").map_or(Target::Unknown, |id| self.by_id(id)),
            "path:enrollment_profile" => {
                let Some(id) = slot("{ep}") else { return Target::Unknown };
                let id = id.strip_prefix("IOT_").unwrap_or(id).to_lowercase();
                match self.profiles.get(&id) {
                    None => Target::Unknown,
                    Some(None) => Target::NoDivision,
                    Some(Some(division)) if self.ships(division) => {
                        Target::Division(division.clone())
                    }
                    // The snapshot leaves it out with its division (DOMAIN D16).
                    Some(Some(_)) => Target::Unknown,
                }
            }
            "query:division_id else filter" => match query {
                [] => Target::Unknown,
                [id] => self.by_id(id),
                _ => Target::TwoOrNonsense,
            },
            _ => Target::Unknown,
        }
    }

    fn by_id(&self, id: &str) -> Target {
        if id.len() == 36 { self.target(id) } else { Target::TwoOrNonsense }
    }
}

/// The rule of divisions (DOMAIN 4).
pub(super) fn within(principal: &Principal, target: &Target, request: &Request) -> &'static str {
    let nowhere = Set::new();
    let scope = if principal.nowhere { Some(&nowhere) } else { principal.divisions.as_ref() };
    let Some(scope) = scope else {
        let nonsense = matches!(target, Target::TwoOrNonsense);
        return if nonsense { "division_denied" } else { "ok" };
    };
    match target {
        Target::NotLimitedByDivisions => "ok",
        Target::Division(name) if scope.contains(name) => "ok",
        Target::Division(_) | Target::SomeOtherDivision | Target::TwoOrNonsense => {
            "division_denied"
        }
        Target::NoDivision if scope.is_empty() || request.deny_unattached => "division_denied",
        Target::NoDivision => "ok",
        Target::Unknown if request.proxy && !request.strict && !scope.is_empty() => "ok",
        Target::Unknown => "division_unspecified",
    }
}
