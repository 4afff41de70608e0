//! What is asked of a token.

use gateward_core::decide::Mode;
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::time::UnixSeconds;

use super::{NOW, names};

/// What is asked of a token.
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) what: What,
    pub(super) division: Option<String>,
    pub(super) mode: Mode,
    pub(super) at: UnixSeconds,
    pub(super) rules: DivisionRules,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Permissions { ids: Vec<String>, operation: Option<Operation> },
    Route { method: String, target: String },
}

/// Asks for a permission, as a program does that acts on the answer.
#[must_use]
pub fn needs(permission: &str) -> Question {
    needs_any(&[permission])
}

/// Asks for any of some permissions, as a program does that acts on the answer.
#[must_use]
pub fn needs_any(permissions: &[&str]) -> Question {
    let what = What::Permissions { ids: names(permissions), operation: None };

    Question { what, division: None, mode: Mode::Direct, at: NOW, rules: DivisionRules::default() }
}

/// Asks for a request, as a proxy does.
#[must_use]
pub fn sends(method: &str, target: &str) -> Question {
    let what = What::Route { method: method.to_owned(), target: target.to_owned() };

    Question { what, division: None, mode: Mode::Proxy, at: NOW, rules: DivisionRules::default() }
}

impl Question {
    /// Says what is to be done with the permission.
    #[must_use]
    pub fn to(mut self, name: &str) -> Self {
        if let What::Permissions { operation, .. } = &mut self.what {
            *operation = Some(Operation::parse(name).expect("a name of an operation"));
        }

        self
    }

    /// Says which division it is about.
    #[must_use]
    pub fn within(mut self, division: &str) -> Self {
        self.division = Some(division.to_owned());
        self
    }

    /// Asks for a final answer.
    #[must_use]
    pub fn directly(mut self) -> Self {
        self.mode = Mode::Direct;
        self
    }

    /// Asks before an upstream that checks the same key again.
    #[must_use]
    pub fn through_a_proxy(mut self) -> Self {
        self.mode = Mode::Proxy;
        self
    }

    /// Says when.
    #[must_use]
    pub fn at(mut self, seconds: u64) -> Self {
        self.at = UnixSeconds(seconds);
        self
    }

    /// Says what the operator decides about divisions.
    #[must_use]
    pub fn under(mut self, rules: DivisionRules) -> Self {
        self.rules = rules;
        self
    }
}
