//! One recorded request, decided again.

use gateward_agent::journal::json::Line;
use gateward_core::decide::{Ask, Class, Mode, Reason, weigh};
use gateward_core::route::{self, DivisionText, Found, NoRoute};
use gateward_core::snapshot::{Unsigned, View};
use gateward_core::time::UnixSeconds;
use gateward_core::token::{Lookup, Token};

use super::Gateways;
use super::recorded::{
    Answer, Asked, Named, asked, is_of_the_text, proved, sent, time, whole_path,
};

/// Why a request was not decided again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undecided {
    /// It is of another account.
    Account,
    /// The record does not say which credential was sent, and the answer hangs on that.
    Credential,
    /// The record does not say which division it was about, and the answer hangs on that.
    Division,
    /// The policy lists no such gateway.
    Gateway,
    /// The record does not say whether a proxy or a program asked, and the answer hangs on that.
    Mode,
    /// The method is not kept.
    Method,
    /// The path was cut or masked.
    Path,
    /// The record does not say all that was asked for.
    Permission,
    /// The secret was not proved, so nobody knows whose token it was.
    Secret,
    /// What kept the gateway from deciding hangs on the gateway, not on the policy.
    State(Reason),
    /// This version does not know what the record says.
    Unknown,
}

impl Undecided {
    /// A stable word for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Account => "other_account",
            Self::Credential => "credential_not_recorded",
            Self::Division => "division_not_recorded",
            Self::Gateway => "unknown_gateway",
            Self::Mode => "mode_not_recorded",
            Self::Method => "method_not_recorded",
            Self::Path => "path_not_whole",
            Self::Permission => "permission_not_recorded",
            Self::Secret => "secret_not_proved",
            Self::State(reason) => reason.name(),
            Self::Unknown => "unknown_record",
        }
    }

    /// Says it to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Account => "of another account",
            Self::Credential => "the record does not say which credential was sent",
            Self::Division => "the record does not say which division it was about",
            Self::Gateway => "the policy lists no such gateway",
            Self::Mode => "proxy or program, the record does not say; use --mode",
            Self::Method => "the method is not recorded",
            Self::Path => "the recorded path was cut or masked",
            Self::Permission => "the record does not say all that was asked for",
            Self::Secret => "the secret did not match, so it was nobody's token",
            Self::State(_) => "the gateway could not decide, whatever the policy",
            Self::Unknown => "this version does not know what the record says",
        }
    }
}

/// What decides, and how its gateways are set up.
pub(super) struct Settings<'s> {
    pub(super) gateways: Gateways,
    pub(super) snapshot: &'s Unsigned<Vec<u8>>,
}

/// Who asks, and when.
struct Asking {
    token: Lookup,
    at: UnixSeconds,
}

impl Settings<'_> {
    /// Returns the recorded answer and the one that this policy gives.
    pub(super) fn again(&self, line: &Line<'_>) -> Result<(Answer, Answer), Undecided> {
        let recorded = Answer::of(line).ok_or(Undecided::Unknown)?;
        if recorded.0.class() == Class::Unavailable {
            return Err(Undecided::State(recorded.0));
        }
        let path = whole_path(line).ok_or(Undecided::Path)?;
        // Staleness is the gateway's, not the policy's: what was stale then is stale now.
        let stale_from = if line.stale == Some(true) { 0 } else { u64::MAX };
        let view = self.snapshot.view_stale_from(UnixSeconds(stale_from));
        let again = match path {
            Some(path) => self.route(line, path, recorded, &view)?,
            None => self.permission(line, recorded, &view)?,
        };

        Ok((recorded, again))
    }

    fn route(
        &self,
        line: &Line<'_>,
        path: &str,
        recorded: Answer,
        view: &View<'_>,
    ) -> Result<Answer, Undecided> {
        let method = line.method.as_deref().unwrap_or_default();
        if method == "OTHER" {
            return Err(Undecided::Method);
        }
        let found = match route::find(method, path, view.ext().routes()) {
            Ok(found) => found,
            Err(none) => return Ok(Answer(NoRoute::reason(none))),
        };
        let answers = sent(line, recorded.0).iter().map(|sent| match found.settles(*sent) {
            Some(reason) => Ok(Answer(reason)),
            None if is_of_the_text(recorded.0) => Ok(recorded),
            None => self.proved(
                line,
                view,
                |mode| {
                    let stated = line.division_id.as_deref().filter(|_| !names_a_division(&found));
                    vec![Ask::of_route(view, &found, stated, mode)]
                },
                recorded,
            ),
        });

        agreed(answers, Undecided::Credential)
    }

    fn permission(
        &self,
        line: &Line<'_>,
        recorded: Answer,
        view: &View<'_>,
    ) -> Result<Answer, Undecided> {
        if is_of_the_text(recorded.0) {
            return Ok(recorded);
        }
        let stated = line.division_id.as_deref();
        let may_be = asked(line, view);

        self.proved(
            line,
            view,
            |mode| {
                let asks = may_be.iter().flatten();
                let ask = |Asked { named, operation }: &Asked<'_>| match *named {
                    Named::Known(set) => Ask::of_set(view, set, *operation, stated, mode),
                    Named::Unknown(id) => {
                        Ask::of_permissions(view, std::iter::once(id), *operation, stated, mode)
                    }
                };
                asks.map(ask).collect()
            },
            recorded,
        )
    }

    /// Decides for whoever the record proves held the token, in every way in which it may have been
    /// asked.
    fn proved(
        &self,
        line: &Line<'_>,
        view: &View<'_>,
        asks: impl Fn(Mode) -> Vec<Ask>,
        recorded: Answer,
    ) -> Result<Answer, Undecided> {
        let token = proved(line).ok_or(Undecided::Secret)?;
        if recorded.0 == Reason::DivisionDenied && line.division_id.is_none() {
            // One that the gateway did not know, or another than the path names.
            return Err(Undecided::Division);
        }
        let at = time(line).ok_or(Undecided::Unknown)?;
        let asking = Asking { token, at };
        let modes: &[Mode] = match self.gateways.mode {
            Some(Mode::Direct) => &[Mode::Direct],
            Some(Mode::Proxy) => &[Mode::Proxy],
            None => &[Mode::Direct, Mode::Proxy],
        };
        let in_mode = |mode: &Mode| {
            let asks = asks(*mode);
            if asks.is_empty() {
                return Err(Undecided::Permission);
            }
            let answers = asks.iter().map(|ask| Ok(self.weigh(view, ask, &asking)));
            agreed(answers, Undecided::Permission)
        };

        agreed(modes.iter().map(in_mode), Undecided::Mode)
    }

    fn weigh(&self, view: &View<'_>, ask: &Ask, asking: &Asking) -> Answer {
        let token = Token::without_secret(asking.token);
        let weighed = weigh(view, ask, &token, asking.at, self.gateways.rules);

        Answer(weighed.with_secret_proved().decision().reason)
    }
}

/// Whether the path itself says which division it is about; the record's is then what it came to.
const fn names_a_division(found: &Found<'_>) -> bool {
    found.resource_id.is_some() || !matches!(found.division, DivisionText::Absent)
}

/// Returns the one answer that all come to.
fn agreed(
    answers: impl Iterator<Item = Result<Answer, Undecided>>,
    otherwise: Undecided,
) -> Result<Answer, Undecided> {
    let mut one = None;
    for answer in answers {
        let answer = answer?;
        if one.is_some_and(|one| one != answer) {
            return Err(otherwise);
        }
        one = Some(answer);
    }

    one.ok_or(otherwise)
}
