//! What is said about a policy's routes.

use super::*;

fn route(id: &str, pattern: &str, rest: &str) -> String {
    format!(
        "[[routes]]\nid = \"{id}\"\nmethods = [\"GET\"]\npattern = \"{pattern}\"\nresource_action = \
         \"device/view\"\n{rest}\n"
    )
}

const MANAGE: &str = "op = \"read\"\npermission_any_of = [\"manage_device\"]";

#[test]
fn a17_a_route_that_names_an_unknown_permission_is_refused() {
    let text = mistakes(&route("x", "/x", "op = \"read\"\npermission_any_of = [\"fly\"]"));

    assert!(text.contains("routes.permission_any_of: `fly` is no permission"), "{text}");
}

#[test]
fn a18_a_route_that_needs_nothing_says_public() {
    for nothing in ["op = \"read\"", "op = \"read\"\npermission_any_of = []"] {
        let text = mistakes(&route("x", "/x", nothing));
        assert!(text.contains("`x`: no permission is named"), "{text}");
    }
    assert!(with(&route("x", "/x", "op = \"public\"")).is_ok());
    assert!(mistakes(&route("x", "/x", "")).contains("routes.op: is missing"));
}

#[test]
fn g12_two_routes_with_the_same_claim_are_refused() {
    let twice = route("one", "/x/{a}", MANAGE) + &route("two", "/x/{b}", MANAGE);
    let text = mistakes(&twice);
    assert!(text.contains("`one` and `two` can match one request with equal weight"), "{text}");

    let rival = route("mine", "/iot/api/{v:ver}/certificate", MANAGE);
    let text = mistakes(&rival);
    assert!(text.contains("`mine` and `cert.list` can match"), "{text}");
    // With its id it takes its place.
    assert!(with(&rival.replace("\"mine\"", "\"cert.list\"")).is_ok());
    let text = mistakes(&(route("one", "/x", MANAGE) + &route("one", "/y", MANAGE)));
    assert!(text.contains("`one` is the id of two routes"), "{text}");
}

#[test]
fn a_route_tells_everything_that_is_wrong_with_it() {
    let text = mistakes(
        "[[routes]]\nid = \"A B\"\nmethods = [\"FETCH\"]\npattern = \"x\"\nop = \"fly\"\nauth = \
         [\"cookie\"]\ndivision = \"body\"\nstale = \"soft\"\nresource_action = \"view\"\n",
    );

    for part in [
        "methods: must",
        "pattern: `x`: begin",
        "op: `fly`",
        "auth: must",
        "division: `body`",
        "stale: `soft`",
        "resource_action: `view`",
    ] {
        assert!(text.contains(&format!("routes.{part}")), "{part}: {text}");
    }
}
