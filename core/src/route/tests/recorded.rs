//! What of a target is recorded: its path alone, short, and without a secret.

use std::format;

use super::*;

#[test]
fn f12_the_query_is_never_recorded() {
    let target = "/iot/api/v1/certificate?x-api-key=secret&division_id=1";

    assert_eq!(found("GET", target).unwrap().path.as_str(), "/iot/api/v1/certificate");
    assert_eq!(NormalPath::of(target).as_str(), "/iot/api/v1/certificate");
    assert_eq!(NormalPath::of("/a#x-api-key=secret").as_str(), "/a");
    assert_eq!(NormalPath::of("https://user:secret@host/a").as_str(), "…");
    assert_eq!(NormalPath::of("").as_str(), "…");
}

#[test]
fn g13_long_deep_and_unreadable_paths_are_refused_and_recorded_cut() {
    let docs = "/iot/api-docs";
    let len = |len: usize| format!("{docs}/{}", "a".repeat(len - docs.len() - 1));
    let deep = |segments: usize| format!("{docs}{}", "/a".repeat(segments - 2));

    assert_eq!(id("GET", &len(2_048)), Ok("docs.read"));
    assert_eq!(id("GET", &len(2_049)), Err(NoRoute::Unknown));
    assert_eq!(id("GET", &deep(64)), Ok("docs.read"));
    assert_eq!(id("GET", &deep(65)), Err(NoRoute::Unknown));
    assert_eq!(id("GET", &deep(2_000)), Err(NoRoute::Unknown));

    for target in [len(2_048), len(8_192), deep(2_000)] {
        let path = NormalPath::of(&target);
        assert_eq!(path.as_str().len(), 256);
        assert_eq!(path.as_str().strip_suffix('…'), target.get(..253));
    }
    assert_eq!(found("GET", &len(2_048)).unwrap().path, NormalPath::of(&len(2_048)));
    assert_eq!(NormalPath::of(&len(256)).as_str(), len(256));
    let masked = format!("/gwd1.AAAAAAAAAAAA.{}", "S".repeat(3_000));
    assert_eq!(NormalPath::of(&masked).as_str(), "/gwd1.AAAAAAAAAAAA.***…");
    assert!(NormalPath::of(&format!("/{}", "ß".repeat(200))).as_str().ends_with("ß…"));
    assert_eq!(NormalPath::of("/a%ffb%zz%2").as_str(), "/a\u{fffd}b%zz%2");
}

#[test]
fn i4_a_token_in_a_path_is_recorded_without_its_secret() {
    let secret = "S".repeat(48);
    for dot in [".", "%2e", "%252E"] {
        let target = format!("/iot/api/v1/certificate/gwd1{dot}AAAAAAAAAAAA{dot}{secret}/x?y");
        let path = NormalPath::of(&target);

        assert_eq!(path.as_str(), "/iot/api/v1/certificate/gwd1.AAAAAAAAAAAA.***/x");
        if let Ok(found) = found("GET", &target) {
            assert_eq!(found.path, path);
        }
    }
    // Masked before it is cut: wherever the cut falls, no character of the secret is left.
    for len in 180..300 {
        let target = format!("/{}/gwd1.AAAAAAAAAAAA.{secret}", "x".repeat(len));
        assert!(!NormalPath::of(&target).as_str().contains('S'), "{len}");
        let long = format!("/{}/gwd1.AAAAAAAAAAAA.{secret}", "%ff".repeat(560 + len));
        assert!(!NormalPath::of(&long).as_str().contains('S'), "{len}");
    }
}
