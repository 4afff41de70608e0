//! Which credential a request carries: exactly one, or none that counts.
//!
//! Never "the first one wins": two credentials, or one sent twice, are a conflict (DOMAIN F3, F13).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use gateward_core::decide::Reason;
use gateward_core::route::Sent;
use gateward_core::token::Token;

/// The header that DigiCert's API takes a key from; compared without case (DOMAIN F2), and never
/// with underscores (DOMAIN F20).
const API_KEY: &str = "x-api-key";
/// The header of a device's one-time secret, which the upstream checks.
const PASSCODE: &str = "x-passcode";

/// What was presented.
#[derive(Clone, Debug)]
pub(super) enum Presented {
    /// Nothing that counts.
    Nothing,
    /// A device's passcode and no key.
    Passcode,
    /// The text of a token, read; or one that cannot be a token.
    Token(Option<Token>),
    /// More than one credential, in whatever form.
    Conflict,
}

impl Presented {
    /// Looks at the headers of a request, and at the token of its body where it has one.
    pub(super) fn of(headers: &HeaderMap, in_body: Option<&str>) -> Self {
        let keys = headers.get_all(API_KEY).iter().map(|value| value.as_bytes());
        let bearers = headers.get_all(AUTHORIZATION).iter().filter_map(|v| bearer(v.as_bytes()));
        let mut tokens = keys.chain(bearers).chain(in_body.map(str::as_bytes));
        let passcode = headers.contains_key(PASSCODE);

        match (tokens.next(), tokens.next(), passcode) {
            (None, _, false) => Self::Nothing,
            (None, _, true) => Self::Passcode,
            (Some(_), Some(_), _) | (Some(_), None, true) => Self::Conflict,
            (Some(text), None, false) => Self::read(text),
        }
    }

    /// A proxy may have joined two headers of one name into one with a comma.
    fn read(text: &[u8]) -> Self {
        let text = text.trim_ascii();
        if text.contains(&b',') {
            return Self::Conflict;
        }

        Self::Token(Token::read(text).ok())
    }

    /// Returns which kind of credential it is, as far as a route depends on it.
    pub(super) const fn sent(&self) -> Sent {
        match self {
            Self::Nothing => Sent::Nothing,
            Self::Passcode => Sent::Passcode,
            Self::Token(_) => Sent::Token,
            Self::Conflict => Sent::Conflict,
        }
    }

    /// Returns the token, or why there is none to decide about.
    pub(super) fn token(&self) -> Result<&Token, Reason> {
        match self {
            Self::Nothing | Self::Passcode => Err(Reason::MissingCredential),
            Self::Token(Some(token)) => Ok(token),
            Self::Token(None) => Err(Reason::MalformedToken),
            Self::Conflict => Err(Reason::CredentialConflict),
        }
    }
}

/// Returns what follows `Bearer`, whose case does not count (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let separated = rest.first().is_none_or(u8::is_ascii_whitespace);

    (scheme.eq_ignore_ascii_case(b"bearer") && separated).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use gateward_core::principal::TokenKind;
    use gateward_core::token::{self, Secret};

    use super::*;

    fn text() -> String {
        String::from_utf8(token::write(TokenKind::Api, 7, &Secret([9; 32])).to_vec()).unwrap()
    }

    fn presented(headers: &[(&'static str, &str)], body: Option<&str>) -> Presented {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Presented::of(&map, body)
    }

    fn reason(headers: &[(&'static str, &str)], body: Option<&str>) -> Option<Reason> {
        presented(headers, body).token().err()
    }

    #[test]
    fn f1_no_key_is_a_missing_credential() {
        assert_eq!(reason(&[], None), Some(Reason::MissingCredential));
    }

    #[test]
    fn f2_the_case_of_the_header_does_not_count() {
        for name in ["x-api-key", "X-API-KEY", "x-Api-Key"] {
            assert_eq!(reason(&[(name, &text())], None), None);
        }
        assert_eq!(reason(&[("authorization", &format!("bEARER {}", text()))], None), None);
    }

    #[test]
    fn f3_a_key_that_is_sent_twice_is_a_conflict() {
        let (one, conflict) = (text(), Some(Reason::CredentialConflict));
        let joined = format!("{one}, {one}");

        assert_eq!(reason(&[("x-api-key", &one), ("x-api-key", &one)], None), conflict);
        assert_eq!(reason(&[("x-api-key", &one), ("x-api-key", "other")], None), conflict);
        assert_eq!(reason(&[("x-api-key", &joined)], None), conflict);
        let bearer = format!("Bearer {one}");
        assert_eq!(reason(&[("x-api-key", &one), ("authorization", &bearer)], None), conflict);
        assert_eq!(reason(&[("x-api-key", &one)], Some(&one)), conflict);
    }

    #[test]
    fn f4_white_space_is_trimmed_outside_and_malformed_inside() {
        assert_eq!(reason(&[("x-api-key", &format!(" \t{} ", text()))], None), None);
        let mut inner = text();
        inner.replace_range(30..31, " ");
        let token = presented(&[("x-api-key", &inner)], None);
        assert!(!token.token().unwrap().is_well_formed());
    }

    #[test]
    fn f5_an_empty_value_is_malformed() {
        assert_eq!(reason(&[("x-api-key", "")], None), Some(Reason::MalformedToken));
        assert_eq!(reason(&[("authorization", "Bearer ")], None), Some(Reason::MalformedToken));
    }

    #[test]
    fn f13_a_key_beside_a_passcode_is_a_conflict_and_f15_a_passcode_is_no_key() {
        let both = [("x-api-key", text()), ("x-passcode", "p".into())];
        let both = both.each_ref().map(|(name, value)| (*name, value.as_str()));

        assert_eq!(reason(&both, None), Some(Reason::CredentialConflict));
        let tabbed = format!("Bearer\t{}", text());
        let both = [("authorization", tabbed.as_str()), ("x-passcode", "p")];
        assert_eq!(reason(&both, None), Some(Reason::CredentialConflict));
        assert!(matches!(presented(&[("x-passcode", "p")], None), Presented::Passcode));
        assert_eq!(reason(&[("x-passcode", "p")], None), Some(Reason::MissingCredential));
    }

    #[test]
    fn f12_f20_a_cookie_or_an_underscore_is_no_credential() {
        for name in ["cookie", "x_api_key"] {
            assert_eq!(reason(&[(name, &text())], None), Some(Reason::MissingCredential));
        }
        assert_eq!(
            reason(&[("authorization", "Basic YTpi")], None),
            Some(Reason::MissingCredential)
        );
    }
}
