//! One side: agent core, used as the agent uses it.

use gateward_core::decide::{Ask, decide};
use gateward_core::snapshot::revocation::Revocation;
use gateward_core::snapshot::{self, Verified, View};
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::token::Token;
use gateward_core::trust::{Beacon, Floor, KeySet, Manifest, Now, Refused, Revoked, Version};

use crate::answer::{Answer, NONE};
use crate::authority::{ACCOUNT, audience};
use crate::question::Question;
use crate::world::Given;

/// A snapshot in force.
#[derive(Debug)]
pub struct Agent<'g> {
    verified: Verified<&'g [u8]>,
    bits: Revocation<Vec<u8>>,
    floor: Floor,
    list: Version,
}

impl<'g> Agent<'g> {
    /// Takes all that is given, in its order.
    ///
    /// # Errors
    ///
    /// Something of it may not be believed.
    ///
    /// # Panics
    ///
    /// If the file is not the one of the manifest.
    pub fn open(given: &'g Given) -> Result<Self, Refused> {
        let at = UnixSeconds(given.at);
        let now = Now { at, quality: TimeQuality::Synced, backed: at };
        let keys = KeySet::anchor(&given.keys, ACCOUNT)?;
        let manifest = Manifest::verify(&given.manifest, &keys, audience())?;
        Floor::default().admit(&manifest, &now)?;
        let mut floor = Floor::default().with(&manifest);
        let verified = snapshot::open(given.file.as_slice(), manifest).expect("it was just made");
        if let Some(beacon) = &given.beacon {
            let beacon = Beacon::verify(beacon, &keys, audience())?;
            floor.admit_beacon(&beacon, &now)?;
            floor = floor.with_beacon(&beacon);
        }
        let room = verified.view().revocation_room();
        let (rows, principals) = (vec![0; room.rows], vec![0; room.principals]);
        let bits = Revocation::none(&verified.view(), rows, principals).expect("it fits");
        let mut agent = Self { verified, bits, floor, list: Version::default() };
        for list in &given.lists {
            agent.take(&Revoked::verify(list, &keys, audience())?)?;
        }

        Ok(agent)
    }

    /// What a list leaves out is denied by its base: by an older snapshot it is not forgotten.
    fn take(&mut self, list: &Revoked<'_>) -> Result<(), Refused> {
        self.floor.admit_revoked(self.list, list)?;
        let view = self.verified.view();
        if self.verified.manifest().version() >= list.base() {
            let room = view.revocation_room();
            let (rows, principals) = (vec![0; room.rows], vec![0; room.principals]);
            self.bits = Revocation::none(&view, rows, principals).expect("it fits");
        }
        list.tokens().for_each(|id| self.bits.revoke_token(&view, id));
        list.principals().for_each(|key| self.bits.revoke_principal(&view, key));
        self.floor = self.floor.with_revoked(list.number(), list.base());
        self.list = list.number();

        Ok(())
    }

    /// Returns the snapshot as decisions read it: stale where something is known to be missing.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        let lacks_list = self.floor.lacks_list(self.list).is_some();
        let lacks = lacks_list || self.floor.lacks_snapshot().is_some();
        let manifest = self.verified.manifest();
        let stale_at = if lacks { UnixSeconds(0) } else { manifest.stale_at() };

        self.verified.view_stale_from(stale_at).with_revocation(self.bits.bits())
    }

    /// Decides. The time is never before what was signed.
    #[must_use]
    pub fn answer(&self, view: &View<'_>, question: &Question) -> Answer {
        let Ok(token) = Token::read(&question.token) else { return Answer::NotAToken };
        let Question { ids, operation, division, mode, rules, now, .. } = question;
        let ids = ids.iter().map(String::as_str);
        let ask = Ask::of_permissions(view, ids, *operation, division.as_deref(), *mode);
        let now = UnixSeconds(*now).max(self.floor.lived);
        let decision = decide(view, &ask, &token, now, *rules);

        Answer::Decided {
            verdict: decision.reason.class() as u32,
            reason: decision.reason as u32,
            failed: decision.failed.bits(),
            principal: decision.principal.map(|principal| principal.key()),
            permission: decision.permission.map_or(NONE, |one| one.bit().into()),
            token: (decision.lookup.kind.into(), decision.lookup.id),
        }
    }
}
