//! A gateway that only observes: it decides, writes down what it decided, and denies nobody.

use serde_json::json;

use crate::stage::{Stage, WIDER};

pub(crate) const OBSERVE: (&str, &str, &str) = ("DECISION__MODE", "observe", "enforce");

#[test]
fn who_would_be_denied_goes_on_and_is_written_down_as_denied_where_the_policy_lets_an_operator_observe()
 {
    let mut stage = Stage::new();
    stage.operator_may("allow_observe", OBSERVE);

    let asks = |token: &str, about: &str| {
        let question = json!({ "token": token, "permission": WIDER, "resource": about });
        let answer = stage.gateway.authorize(&question);
        assert_eq!(answer.status, 200);
        answer.json()["allow"].clone()
    };
    assert_eq!(asks(&stage.ana, "may not"), true);
    assert_eq!(asks("not a token", "is nobody"), true);
    assert_eq!(stage.gateway.allows(&stage.ana, "manage_device"), Some(true));
    let tail = stage.gateway.cli(&["audit", "tail", "-n", "100", "--format", "json"]);
    let decisions: Vec<_> = tail
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON"))
        .filter(|record| record["resource"] == "may not" || record["resource"] == "is nobody")
        .map(|record| (record["decision"].clone(), record["reason"].clone()))
        .collect();
    assert_eq!(
        decisions,
        [(json!("deny"), json!("permission_missing")), (json!("deny"), json!("malformed_token"))]
    );

    // Nobody acts in the name of an owner whose token is none any more, or was never shown whole.
    let (ana, other) =
        (stage.ana.clone(), stage.deck.user("ben.ito", &["--role", "iot_account_admin"]));
    stage.deck.disable(&ana);
    let version = stage.deck.publish();
    stage.gateway.reaches(version);
    let mut forged = other.clone();
    let last = forged.pop().expect("it has a last letter");
    forged.push(if last == 'a' { 'b' } else { 'a' });
    for nobodys in [&ana, &forged] {
        assert_eq!(asks(nobodys, "is disabled or forged"), true);
        let asked = [("x-api-key", &**nobodys), ("x-original-method", "GET")];
        let asked = [&asked[..], &[("x-original-uri", "/iot/api/v1/device")]].concat();
        let answer = stage.gateway.nginx(&asked);
        assert_eq!(answer.status, 204);
        for named in ["name", "kind", "id", "token", "divisions"] {
            assert_eq!(answer.header(&format!("x-gateward-{named}")), None, "{named}");
        }
        let question = json!({ "token": nobodys, "permission": WIDER });
        assert!(stage.gateway.authorize(&question).json()["principal"].is_null());
    }
    let asked = [("x-api-key", &*other), ("x-original-method", "GET")];
    let asked = [&asked[..], &[("x-original-uri", "/iot/api/v1/device")]].concat();
    assert_eq!(stage.gateway.nginx(&asked).header("x-gateward-name"), Some("ben.ito"));

    // Once the policy no longer permits it, the same setting denies.
    stage.deck.edit_policy("allow_observe = true", "allow_observe = false");
    stage.deck.publish();
    gateward_tests::until("a denial", || {
        (stage.gateway.allows(&other, WIDER) == Some(false)).then_some(())
    });
}
