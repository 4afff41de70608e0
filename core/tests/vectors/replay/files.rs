//! Tokens and snapshots.

use super::*;

pub(super) fn token(bytes: &[u8], given: &Given<'_>) -> Said {
    let account = given.account();
    let Ok(token) = Token::read(bytes) else { return Err(Reason::MalformedToken.name()) };
    // A snapshot without any token knows none, so that only what the text itself says comes first.
    let contents = Contents { account, ..Contents::default() };
    let nobody = snapshot::unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let view = nobody.view();
    let ask = Ask::of_permissions(&view, core::iter::empty(), None, None, Mode::Direct);
    let decision = decide(&view, &ask, &token, UnixSeconds(0), DivisionRules::default());
    if decision.reason != Reason::UnknownToken {
        return Err(decision.reason.name());
    }
    let verifier = Context::new(&account.0).verifier(token.lookup.id, token.secret());

    Ok(json!({
        "id": format!("{:016x}", token.lookup.id),
        "kind": token.lookup.kind,
        "secret": hex(&token.secret().0),
        "verifier": hex(&verifier),
    }))
}

pub(super) fn snapshot_file(bytes: &[u8], given: &Given<'_>) -> Said {
    if given.has("manifest") {
        let manifest = given.manifest(&given.bytes("manifest")).map_err(Refused::code)?;
        let opened = snapshot::open(bytes, manifest).map_err(snapshot::Refused::code)?;
        return Ok(snapshot_fields(&opened.view()));
    }
    let opened = snapshot::unsigned(bytes).map_err(snapshot::Refused::code)?;

    Ok(snapshot_fields(&opened.view()))
}

fn snapshot_fields(view: &View<'_>) -> Value {
    json!({
        "account": hex(&view.account().0),
        "divisions": view.divisions().map(|(_, name)| name).collect::<Vec<_>>(),
        "permissions": view.ext().permissions().map(|entry| entry.id).collect::<Vec<_>>(),
        "principals": view.principals().map(|one| one.name()).collect::<Vec<_>>(),
        "resources": view.resources().count(),
        "routes": view.ext().routes().map(|rule| rule.id).collect::<Vec<_>>(),
        "suspended": view.is_suspended(),
        "tokens": view.tokens().map(|one| format!("{:016x}", one.id)).collect::<Vec<_>>(),
        "verifier_len": view.verifier_len(),
    })
}
