//! What a record says about its request, as the check takes it.

use gateward_agent::journal::json::Line;
use gateward_core::decide::{Class, Reason};
use gateward_core::permission::{Entry, Operation, Permission, PermissionSet};
use gateward_core::route::Sent;
use gateward_core::snapshot::View;
use gateward_core::time::UnixSeconds;
use gateward_core::token::Lookup;

/// An answer: allow, deny or pass-through, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer(pub(super) Reason);

impl Answer {
    /// Reads the answer that was recorded; none where this version does not know it.
    pub(super) fn of(line: &Line<'_>) -> Option<Self> {
        let reason = line.reason.as_deref()?;

        Reason::ALL.iter().find(|known| known.name() == reason).map(|reason| Self(*reason))
    }

    /// The word for it in records (INTERFACES section 7, `decision`).
    pub(super) const fn decision(self) -> &'static str {
        match self.0.class() {
            Class::Allow if matches!(self.0, Reason::PassthroughDevice) => "passthrough",
            Class::Allow => "allow",
            Class::Authn | Class::Authz | Class::Unavailable => "deny",
        }
    }

    /// Whether nobody could tell them apart but for how the policy says it: what a revocation list
    /// denied, the next snapshot denies in its own words (TRUST section 3).
    pub(super) fn is_same_as(self, recorded: Self) -> bool {
        let by_list = recorded.0 == Reason::Revoked && self.0.class() == Class::Authn;

        self == recorded || by_list
    }
}

/// Returns the token that a record proves its request held.
pub(super) fn proved(line: &Line<'_>) -> Option<Lookup> {
    line.authentication_id.as_ref()?;

    // What was only claimed is marked, and no lookup has that form.
    Lookup::parse(line.credential_id.as_deref()?)
}

/// Returns which credentials the request may have carried, as far as a route depends on it.
pub(super) fn sent(line: &Line<'_>, recorded: Reason) -> &'static [Sent] {
    let text_was_bad = matches!(recorded, Reason::MalformedToken | Reason::BadChecksum);
    let is_token = text_was_bad || recorded == Reason::CredentialNotAccepted;
    if line.credential_id.is_some() || is_token {
        &[Sent::Token]
    } else if recorded == Reason::CredentialConflict {
        &[Sent::Conflict]
    } else if matches!(recorded, Reason::MissingCredential | Reason::PassthroughDevice) {
        &[Sent::Nothing, Sent::Passcode]
    } else {
        &[Sent::Conflict, Sent::Nothing, Sent::Passcode, Sent::Token]
    }
}

/// Whether the text of the credential alone was the reason, whatever the policy says.
pub(super) const fn is_of_the_text(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BadChecksum
            | Reason::CredentialConflict
            | Reason::MalformedToken
            | Reason::MissingCredential
    )
}

/// Returns the path, where it is the one that was asked for: not cut, not masked, and no other to
/// whoever reads it again.
pub(super) fn whole_path<'l>(line: &'l Line<'_>) -> Option<Option<&'l str>> {
    let Some(path) = line.path.as_deref() else { return Some(None) };
    let is_altered = path.ends_with('…') || path.contains(['%', '?', '#', '\u{fffd}']);

    (!is_altered && !path.contains(".***")).then_some(Some(path))
}

/// When it was asked, in seconds.
pub(super) fn time(line: &Line<'_>) -> Option<UnixSeconds> {
    let millis = u64::try_from(line.unix_millis()?).ok()?;

    Some(UnixSeconds(millis / 1000))
}

/// A question for permissions: which, and for what.
pub(super) struct Asked<'l> {
    pub(super) named: Named<'l>,
    pub(super) operation: Option<Operation>,
}

/// What was asked for.
pub(super) enum Named<'l> {
    Known(PermissionSet),
    /// The policy has none of this name, so it grants nothing.
    Unknown(&'l str),
}

/// Returns what may have been asked, where the record has a permission and no path.
///
/// A record keeps one permission: the one used, or the first that was missing. Reading is also granted
/// by a wider permission, so where that is recorded, the narrower one may have been asked for.
pub(super) fn asked<'l>(line: &'l Line<'_>, view: &View<'_>) -> Option<Vec<Asked<'l>>> {
    let text = line.permission.as_deref()?;
    let operation = match line.operation.as_deref() {
        Some(text) => Some(Operation::parse(text)?),
        None => None,
    };
    let permission = match text.strip_prefix("bit ") {
        Some(bit) => Permission::new(bit.parse().ok()?)?,
        None => match view.ext().permission(text) {
            Some(entry) => entry.permission,
            None => return Some(vec![Asked { named: Named::Unknown(text), operation }]),
        },
    };
    let known = |set| Asked { named: Named::Known(set), operation };
    let mut asked = vec![known(permission.set())];
    if operation.is_none_or(|operation| operation == Operation::Read) {
        let all = (0..64).filter_map(Permission::new).filter_map(Entry::of);
        let narrower = all.filter(|entry| {
            entry.read_through().is_some_and(|wider| wider.permission == permission)
        });
        asked.extend(narrower.map(|entry| known(entry.permission.set())));
    }

    Some(asked)
}
