//! Who acts in a scenario: users, service users and their tokens, as the commands make them.

use super::Deck;

impl Deck {
    /// Makes a token of a user and returns its text.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn user_token(&self, username: &str, name: &str) -> String {
        self.control("token new", &["--owner", username, "--name", name]).ok()
    }

    /// Makes a token of a service user and returns its text.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn service_token(&self, friendly_name: &str, name: &str) -> String {
        self.control("token new", &["--service-user", friendly_name, "--name", name]).ok()
    }

    /// Adds a user, with a token, and returns the token's text.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn user(&self, username: &str, args: &[&str]) -> String {
        let all: Vec<_> = core::iter::once(username).chain(args.iter().copied()).collect();
        drop(self.control("user add", &all).ok());

        self.user_token(username, "first")
    }

    /// Adds a service user, with a token, and returns the token's text.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn service_user(&self, friendly_name: &str, args: &[&str]) -> String {
        let all: Vec<_> = core::iter::once(friendly_name).chain(args.iter().copied()).collect();
        drop(self.control("service-user add", &all).ok());

        self.service_token(friendly_name, "first")
    }

    /// Disables a token by its text.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn disable(&self, token: &str) {
        drop(self.control("token disable", &[lookup(token)]).ok());
    }
}

/// Returns the public part of a token's text.
///
/// # Panics
///
/// If it is no token.
#[must_use]
pub fn lookup(token: &str) -> &str {
    token.split('.').nth(1).expect("a token has its id between dots")
}
