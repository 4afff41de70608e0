//! One token and one question for every outcome.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a class that is not named is made like one that is allowed"
)]

use gateward_constant_time::Class;
use gateward_core::decide::{Mode, Reason};
use gateward_core::division::DivisionRules;
use gateward_core::permission::{Entry, Operation, PermissionSet};
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::Scope;
use gateward_core::token::Token;

use super::draft::{Draft, HELD, PAST, division};
use super::{Case, NOW};
use crate::authority::{DAY, T0};
use crate::question::Question;

/// A token that another product made.
const OPAQUE: &str = "DGC1-7f3a0c55b8e94d21a6f0e3b2c4d58697";

impl Draft {
    pub(super) fn case(&mut self, class: Class) -> Case {
        let kind =
            if class == Class::Barred { PrincipalKind::SystemUser } else { PrincipalKind::User };
        let id = match class {
            Class::AllowedFirstRow => 1,
            Class::AllowedLastRow => u64::MAX - 1,
            _ => self.draw.next(),
        };
        let text = self.add_id(&format!("{class:?}"), kind, id, |owner, token| match class {
            Class::VerifierFirst => token.verifier[0] ^= 1,
            Class::VerifierLast => token.verifier[31] ^= 1,
            Class::TokenDisabled => token.disabled = true,
            Class::TokenExpired => token.end = PAST,
            Class::OwnerDisabled => owner.disabled = true,
            Class::OwnerExpired => owner.end = PAST,
            Class::NoIotAccess => owner.no_iot_access = true,
            Class::NoPermission => owner.permissions = PermissionSet(HELD.0 & !asked().0),
            Class::OutOfScope => owner.scope = Scope::Only([division(1)].into()),
            _ => {}
        });
        let now = if class == Class::Stale { T0 + DAY } else { NOW };
        let question = Question { now, ..ask(&presented(class, &text)) };
        let name = words(&format!("{class:?}"));

        Case { name, question, reason: class.reason(), counted: true }
    }

    pub(super) fn revoked(&self, cases: &[Case]) -> (u64, u32) {
        let id = |class: Class| {
            let text = &cases[class.index()].question.token;
            Token::read(text).expect("it was just written").lookup.id
        };

        (id(Class::TokenRevoked), self.contents.tokens[&id(Class::OwnerRevoked)].principal)
    }

    /// Cases with a question, a time or a length of their own.
    pub(super) fn further_cases(&mut self) -> Vec<Case> {
        let user = self.add("further", PrincipalKind::User, |_, _| {});
        let service = self.add("robot", PrincipalKind::ServiceUser, |_, _| {});
        let system = self.add("system", PrincipalKind::SystemUser, |_, _| {});
        let everywhere =
            self.add("everywhere", PrincipalKind::User, |owner, _| owner.scope = Scope::All);
        self.add_text("import", PrincipalKind::User, OPAQUE.as_bytes(), |_, _| {});
        let mut other = OPAQUE.as_bytes().to_vec();
        other[10] ^= 1;
        let user = ask(&user);
        let nowhere = Question { division: None, ..user.clone() };
        let elsewhere = Question { division: Some("elsewhere".to_owned()), ..user.clone() };
        let late = Question { now: T0 + 7 * DAY, ..user.clone() };
        let unknown = Question {
            permissions: PermissionSet(1 << 40),
            ids: vec!["unknown".to_owned()],
            ..user
        };
        let open = Question { division: None, ..ask(&everywhere) };
        let device =
            Question { operation: Some(Operation::Write), ..about("manage_device", &system) };

        vec![
            Case { counted: true, ..case("allowed service user", ask(&service), Reason::Ok) },
            Case { counted: true, ..case("snapshot expired", late, Reason::SnapshotExpired) },
            case("division unspecified", nowhere, Reason::DivisionUnspecified),
            case("division unknown", elsewhere, Reason::DivisionDenied),
            case("permission unknown", unknown, Reason::PermissionMissing),
            case("allowed everywhere", open, Reason::Ok),
            case("allowed system user that changes a device", device, Reason::Ok),
            case("allowed import", ask(OPAQUE.as_bytes()), Reason::Ok),
            case("import unknown", ask(&other), Reason::UnknownToken),
        ]
    }
}

/// What most cases ask for: division and freshness count for it, and system users may not do it.
const ASKED: &str = "manage_iot_ca";

fn asked() -> PermissionSet {
    Entry::named(ASKED).expect("it is built in").permission.set()
}

fn ask(token: &[u8]) -> Question {
    Question { operation: Some(Operation::IssueCa), ..about(ASKED, token) }
}

fn about(permission: &str, token: &[u8]) -> Question {
    Question {
        token: token.to_vec(),
        permissions: Entry::named(permission).expect("it is built in").permission.set(),
        ids: vec![permission.to_owned()],
        operation: None,
        division: Some("division 2".to_owned()),
        mode: Mode::Direct,
        rules: DivisionRules::default(),
        now: NOW,
    }
}

fn case(name: &str, question: Question, reason: Reason) -> Case {
    Case { name: name.to_owned(), question, reason, counted: false }
}

/// The text as somebody presents it in this class.
fn presented(class: Class, text: &[u8]) -> Vec<u8> {
    let read = Token::read(text).expect("it was just written");

    gateward_constant_time::presented(class, read.lookup.id, read.secret()).to_vec()
}

/// `UnknownLow` as `unknown low`.
pub(super) fn words(name: &str) -> String {
    let mut words = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_uppercase() && at > 0 {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }

    words
}
