//! What a gateway holds: a world compiled, signed and opened.

use gateward_core::decide::{self, Ask, Decision, Reason};
use gateward_core::name::Uuid;
use gateward_core::route::{self, RouteOperation};
use gateward_core::snapshot::{self, Verified, View};
use gateward_core::time::UnixSeconds;
use gateward_core::token::Token;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use gateward_core::trust::{Audience, KeySet, Manifest, SigningKey};

use super::question::What;
use super::{EVERYTHING, Key, Question, needs};

/// Seconds until a snapshot of a [`World`](super::World) is stale (DOMAIN Q8).
pub const STALE_AFTER: u32 = 86_400;
/// Seconds until it expires (DOMAIN Q8).
pub const EXPIRES_AFTER: u32 = 604_800;

/// What a gateway holds.
#[derive(Debug)]
pub struct Snapshot {
    verified: Verified<Vec<u8>>,
    texts: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Signs a file for a gateway and opens it there.
    pub(super) fn open(
        account: Uuid,
        issued_at: UnixSeconds,
        file: Vec<u8>,
        texts: Vec<Vec<u8>>,
    ) -> Self {
        let manifest = manifest(account, issued_at, &file);
        let verified = snapshot::open(file, manifest).expect("what was compiled can be opened");

        Self { verified, texts }
    }

    /// Returns the snapshot as the decision reads it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.verified.view()
    }

    /// Returns the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.verified.bytes()
    }

    /// Asks whether the holder of a token may.
    #[must_use]
    pub fn asks(&self, key: impl Into<Key>, question: &Question) -> Reason {
        let text = self.texts.get(key.into().0).expect("a token of this world");

        self.asks_with(text, question)
    }

    /// Asks whether whoever sends `text` may.
    #[must_use]
    pub fn asks_with(&self, text: &[u8], question: &Question) -> Reason {
        self.decide(text, question).map_or_else(|reason| reason, |decision| decision.reason)
    }

    /// Returns who acts, as records name it: kind, id and name.
    #[must_use]
    pub fn names(&self, key: impl Into<Key>) -> Option<(&'static str, Uuid, String)> {
        let text = self.texts.get(key.into().0).expect("a token of this world");
        let principal = self.decide(text, &needs("view_license")).ok()?.principal?;
        let kind = principal.kind().token_kind().name();

        Some((kind, principal.id(), principal.name().to_owned()))
    }

    /// Decides, or says why nothing depends on the token.
    fn decide(&self, text: &[u8], question: &Question) -> Result<Decision<'_>, Reason> {
        let view = self.view();
        let division = question.division.as_deref();
        let ask = match &question.what {
            What::Permissions { ids, operation } => {
                let ids = ids.iter().map(String::as_str);
                Ask::of_permissions(&view, ids, *operation, division, question.mode)
            }
            What::Route { method, target } => {
                let found = route::find(method, target, view.ext().routes())
                    .map_err(|refused| refused.reason())?;
                match found.rule.operation {
                    RouteOperation::Public => return Err(Reason::OkPublic),
                    RouteOperation::Enroll | RouteOperation::Needs(_)
                        if !found.rule.accepts.key() =>
                    {
                        return Err(Reason::CredentialNotAccepted);
                    }
                    RouteOperation::Enroll | RouteOperation::Needs(_) => {
                        Ask::of_route(&view, &found, division, question.mode)
                    }
                }
            }
        };
        let token = Token::read(text).map_err(|_| Reason::MalformedToken)?;

        Ok(decide::decide(&view, &ask, &token, question.at, question.rules))
    }
}

/// A manifest that one key signed which may sign anything.
fn manifest(account: Uuid, issued_at: UnixSeconds, file: &[u8]) -> Manifest {
    let signer = SigningKey::from_bytes(&[7; 32]);
    let audience = Audience::of(account, EVERYTHING);
    let keys = KeySetDraft {
        account,
        epoch: 1,
        issued_at,
        expires: issued_at.plus(86_400),
        thresholds: [1; 4],
        required: [1; 4],
        keys: vec![KeyDraft::of(&signer, 0b1111)],
        retired: Vec::new(),
        compromised: Vec::new(),
    };
    let keys = keys.sign(&[&signer]).expect("one key is not too many");
    let keys = KeySet::anchor(&keys, account).expect("the set is signed");
    let draft = ManifestDraft {
        stale_after: STALE_AFTER,
        expires_after: EXPIRES_AFTER,
        ..ManifestDraft::of(account, audience, issued_at, file, 15).expect("a small file")
    };
    let draft = draft.sign(&[&signer]).expect("no delta is not too many");

    Manifest::verify(&draft, &keys, audience).expect("the manifest is signed")
}
