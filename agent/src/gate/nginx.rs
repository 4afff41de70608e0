//! `GET /v1/auth/nginx`: the dialect of nginx's `auth_request`.
//!
//! nginx turns everything but 2xx, 401 and 403 into 500, so nothing else is ever said. What is
//! asked comes either from `X-Original-Method` and `X-Original-URI`, or from `X-Gateward-Permission`,
//! `-Operation` and `-Division`, never from both: nginx passes on what a client sends under a name
//! that its configuration does not set, and a mixture is such a client.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gateward_core::decide::{Class, Mode};
use gateward_core::permission::Operation;

use super::answer::{Answer, Known};
use super::credential::Presented;
use super::judge::{Judge, Question, Subject};
use super::listen::Peer;
use super::source::{self, header};

const METHOD: &str = "x-original-method";
const TARGET: &str = "x-original-uri";
const PERMISSION: &str = "x-gateward-permission";
const OPERATION: &str = "x-gateward-operation";
const DIVISION: &str = "x-gateward-division";

pub(super) async fn auth_request(
    State(judge): State<Judge>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let presented = Presented::of(&headers, None);
    let question = Question {
        presented: &presented,
        subject: subject(&headers),
        division: header(&headers, DIVISION),
        resource: None,
        mode: Mode::Proxy,
        source: source::of(&headers, peer, judge.trusted_peers()),
        request_id: source::request_id(&headers),
    };

    say(&judge.answer(&question).await)
}

/// Returns what is asked; nothing that could match where that is not said clearly (DOMAIN G9).
fn subject(headers: &HeaderMap) -> Subject<'_> {
    let nothing = Subject::Route { method: "", target: "" };
    let about_a_path = headers.contains_key(METHOD) || headers.contains_key(TARGET);
    let about_permissions =
        [PERMISSION, OPERATION, DIVISION].iter().any(|n| headers.contains_key(*n));

    match (about_a_path, about_permissions) {
        (true, false) => match (header(headers, METHOD), header(headers, TARGET)) {
            (Some(method), Some(target)) => Subject::Route { method, target },
            _ => nothing,
        },
        (false, true) => {
            let ids = header(headers, PERMISSION);
            let operation = header(headers, OPERATION).map(Operation::parse);
            let stated = |name| headers.get_all(name).iter().count() <= 1;
            match (ids, operation) {
                (Some(ids), None | Some(Some(_))) if stated(OPERATION) && stated(DIVISION) => {
                    let ids = ids.split([',', ' ']).filter(|id| !id.is_empty()).collect();
                    Subject::Permissions { ids, operation: operation.flatten() }
                }
                _ => nothing,
            }
        }
        _ => nothing,
    }
}

fn say(answer: &Answer) -> Response {
    if answer.allowed {
        return allowed(answer);
    }
    let (status, code, message) = match answer.reason.class() {
        Class::Authn => (StatusCode::UNAUTHORIZED, "invalid_api_key", "no valid API key"),
        Class::Allow | Class::Authz | Class::Unavailable => {
            (StatusCode::FORBIDDEN, "access_denied", "access denied")
        }
    };
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    let mut response = (status, body).into_response();
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }

    response
}

fn allowed(answer: &Answer) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let mut set = |name: &'static str, value: &str| {
        // A name is printable, so it is a header's value too; nothing is said where it is not.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    };
    if let Some(decision) = &answer.decision {
        set("x-gateward-decision", &decision.to_string());
    }
    if let Some(Known { kind, name, id, token, divisions }) = answer.principal() {
        set("x-gateward-name", name);
        set("x-gateward-kind", kind);
        set("x-gateward-id", &id.to_string());
        set("x-gateward-token", &token.to_string());
        set("x-gateward-divisions", divisions);
    }

    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        format!("{:?}", subject(&headers))
    }

    #[test]
    fn g9_a_target_that_is_missing_or_there_twice_matches_nothing() {
        let nothing = of(&[]);

        assert!(nothing.contains(r#"target: """#), "{nothing}");
        assert_eq!(of(&[(METHOD, "GET")]), nothing);
        assert_eq!(of(&[(TARGET, "/a")]), nothing);
        assert_eq!(of(&[(METHOD, "GET"), (TARGET, "/a"), (TARGET, "/b")]), nothing);
    }

    #[test]
    fn a_client_that_adds_the_other_way_of_asking_gets_nothing() {
        let nothing = of(&[]);
        let path = [(METHOD, "GET"), (TARGET, "/a")];

        assert_ne!(of(&path), nothing);
        for smuggled in [(PERMISSION, "view_license"), (OPERATION, "read"), (DIVISION, "a")] {
            assert_eq!(of(&[path[0], path[1], smuggled]), nothing);
        }
    }

    #[test]
    fn an_unknown_or_repeated_operation_matches_nothing() {
        let nothing = of(&[]);
        let asked = (PERMISSION, "manage_device,view_certificate");

        assert!(of(&[asked]).contains(r#"["manage_device", "view_certificate"]"#));
        assert_eq!(of(&[asked, (OPERATION, "reed")]), nothing);
        assert_eq!(of(&[asked, (OPERATION, "read"), (OPERATION, "write")]), nothing);
        assert_eq!(of(&[asked, (DIVISION, "a"), (DIVISION, "b")]), nothing);
    }
}
