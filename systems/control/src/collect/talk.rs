//! What a collector makes of what gateways say of themselves: kept, compared with what they had said and
//! with their neighbours, which no gateway sees, and who is not to be heard any more.

use std::collections::BTreeMap;

use gateward_core::trust::Status;
use tracing::debug;

use super::CollectFailed;
use super::held::Trouble;
use super::store::{Store, Stored};
use super::work::Work;
use crate::clock;
use crate::enroll::Enrolled;
use crate::fleet::alarm::{Alarm, fell_back, goes_beyond, two_roots};

/// What a status is compared with.
struct Compared {
    /// The furthest that is held of the gateway itself.
    before: Option<Status>,
    fallen: Option<Alarm>,
    two: Option<Alarm>,
}

impl<S: Store> Work<S> {
    /// Keeps the status of a gateway, unless it says less than it had said.
    pub(super) async fn status(
        &mut self,
        name: &str,
        payload: &[u8],
        retain: bool,
    ) -> Result<(), CollectFailed> {
        let Some((group, status)) = self.said(name, payload) else {
            debug!(gateway = name, "a status is not the gateway's");
            return Ok(());
        };
        let Compared { before, fallen, two } = self.compare(name, &group, &status, payload).await?;
        let has_fallen = fallen.is_some();
        let told = fallen.and_then(|alarm| {
            self.words.is_certain(name, &status, &alarm, S::SHARED, clock::now()).then_some(alarm)
        });
        for alarm in [told, two].into_iter().flatten() {
            self.alarm(name, alarm).await?;
        }
        let is_news = if has_fallen {
            !status.gone && self.words.hear_behind(name, &status)
        } else {
            self.words.hear(name, before, &status)
        };
        match (status.gone, retain) {
            (true, _) => match self.presence.leave(name) {
                Some(gone) => self.note(name, &gone).await,
                None => Ok(()),
            },
            (false, false) if is_news => self.is_there(name).await,
            (false, false) => {
                self.presence.hear_again(name, clock::now());
                Ok(())
            }
            // Said at some time before we came.
            (false, true) => Ok(()),
        }
    }

    async fn alarm(&mut self, name: &str, alarm: Alarm) -> Result<(), CollectFailed> {
        if !self.words.is_first(name, &alarm) {
            return Ok(());
        }

        self.note(name, &Trouble::Alarm(alarm)).await
    }

    /// Compares a status with what is held, and keeps it where it does not say less.
    async fn compare(
        &mut self,
        name: &str,
        group: &str,
        status: &Status,
        payload: &[u8],
    ) -> Result<Compared, CollectFailed> {
        loop {
            let of_group = self.gateways.values().filter(|one| one.group == group);
            let names: Vec<_> = of_group.map(|one| one.gateway.as_str()).collect();
            let mut held = self.store.furthest(&names).await?;
            let own = held.remove(name);
            let read = |(name, bytes): (&String, &Vec<u8>)| {
                Some((name.clone(), self.read_status(self.gateways.get(name)?, bytes)?))
            };
            let neighbours: BTreeMap<_, _> = held.iter().filter_map(read).collect();
            let enrolled = self.gateways.get(name);
            let before =
                own.as_ref().zip(enrolled).and_then(|(own, one)| self.read_status(one, own));
            let fallen = before.and_then(|before| fell_back(&before, status));
            let two = two_roots(status, neighbours.iter().map(|(name, one)| (name.as_str(), one)));
            if fallen.is_none() {
                // What a gateway that is gone says may be less than what it had said since.
                let is_furthest =
                    before.is_none_or(|before| !status.gone && goes_beyond(&before, status));
                let kept =
                    self.store.keep_status(name, payload, own.as_deref(), is_furthest).await?;
                if kept == Stored::Moved {
                    continue;
                }
            }
            return Ok(Compared { before, fallen, two });
        }
    }

    pub(super) async fn is_there(&mut self, name: &str) -> Result<(), CollectFailed> {
        match self.presence.hear(name, clock::now()) {
            Some(back) => self.note(name, &back).await,
            None => Ok(()),
        }
    }

    /// Looks who has gone silent, and who has fallen back for good.
    pub(super) async fn look(&mut self) -> Result<(), CollectFailed> {
        let now = clock::now();
        for (name, alarm) in self.words.lasting(now) {
            self.alarm(&name, alarm).await?;
        }
        let all = self.gateways.values();
        let silent = all.filter(|one| self.presence.is_silent(&one.gateway, now)).cloned();
        for one in silent.collect::<Vec<_>>() {
            if let Some(at) = self.store.wrote(&one).await? {
                self.presence.heard_elsewhere(&one.gateway, at);
            }
            if self.presence.is_silent(&one.gateway, now) {
                let silent = self.presence.miss(&one.gateway, now);
                self.note(&one.gateway, &silent).await?;
            }
        }
        self.store.keep_marks(now);
        if S::SHARED {
            let dir = self.dir.clone();
            self.store.name(&dir).await?;
        }

        Ok(())
    }

    /// Returns the group of a gateway and what it says; looks again where its key does not verify
    /// that: it may have been enrolled again.
    fn said(&mut self, name: &str, payload: &[u8]) -> Option<(String, Status)> {
        let read = |work: &Self| {
            let enrolled = work.gateways.get(name)?;
            Some((enrolled.group.clone(), work.read_status(enrolled, payload)?))
        };

        read(self).or_else(|| {
            self.read_again(name);
            read(self)
        })
    }

    fn read_status(&self, enrolled: &Enrolled, bytes: &[u8]) -> Option<Status> {
        Status::verify(bytes, &enrolled.key, self.account, enrolled.id(self.account)).ok()
    }
}
