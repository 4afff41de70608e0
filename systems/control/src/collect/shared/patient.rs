//! The database as a store: no piece of work waits for it without an end.

use std::collections::BTreeMap;
use std::path::Path;

use gateward_core::audit::Head;
use gateward_core::time::UnixSeconds;
use tokio_postgres::types::ToSql;
use tracing::debug;

use super::super::CollectFailed;
use super::super::held::{Held, Trouble};
use super::super::hole::Hole;
use super::super::store::{New, Store, Stored};
use super::super::work::AT_THE_END;
use super::connect::{DatabaseFailed, patiently};
use super::rows::Copy;
use super::{Ready, Shared, bytes, number, signed};
use crate::clock;
use crate::enroll::Enrolled;
use crate::policy::{Policy, Sources};

impl Store for Shared {
    type Rows = Copy;
    const SHARED: bool = true;

    async fn begin(&mut self) -> Result<(), CollectFailed> {
        Ok(patiently(self.settings.patience, self.connect()).await?)
    }

    async fn held(&mut self, enrolled: &Enrolled) -> Result<Held, CollectFailed> {
        Ok(patiently(self.settings.patience, self.position(enrolled)).await?)
    }

    async fn append(&mut self, new: &New<'_, Copy>) -> Result<Stored, CollectFailed> {
        Ok(patiently(self.settings.patience, self.add(new)).await?)
    }

    async fn own_up(
        &mut self,
        enrolled: &Enrolled,
        hole: Hole,
        message: &[u8],
    ) -> Result<(), CollectFailed> {
        Ok(patiently(self.settings.patience, self.keep_owned(enrolled, hole, message)).await?)
    }

    async fn owned(
        &mut self,
        enrolled: &Enrolled,
        from: u64,
    ) -> Result<Option<Hole>, CollectFailed> {
        Ok(patiently(self.settings.patience, self.find_owned(enrolled, from)).await?)
    }

    async fn head_at(
        &mut self,
        enrolled: &Enrolled,
        seq: u64,
    ) -> Result<Option<Head>, CollectFailed> {
        let id = self.id(enrolled);
        let patience = self.settings.patience;
        let Ready { client, statements, .. } = self.ready()?;
        let incarnation = enrolled.incarnation.0.as_slice();
        let read = async {
            let seq = signed(seq);
            let row = client.query_opt(&statements.head_at, &[&id, &incarnation, &seq]).await?;
            Ok(row.map(|row| bytes(&row, 0)).transpose()?.map(Head))
        };

        Ok(patiently(patience, read).await?)
    }

    async fn wrote(&mut self, enrolled: &Enrolled) -> Result<Option<UnixSeconds>, CollectFailed> {
        let id = self.id(enrolled);
        let patience = self.settings.patience;
        let Ready { client, statements, .. } = self.ready()?;
        let read = async {
            let row = client.query_one(&statements.wrote, &[&id]).await?;
            Ok(row.try_get::<_, Option<i64>>(0)?)
        };

        Ok(patiently(patience, read).await?.map(|at| UnixSeconds(number(at))))
    }

    async fn furthest(
        &mut self,
        gateways: &[&str],
    ) -> Result<BTreeMap<String, Vec<u8>>, CollectFailed> {
        let account = self.account.to_string();
        let patience = self.settings.patience;
        let Ready { client, statements, .. } = self.ready()?;
        let read = async {
            let rows = client.query(&statements.furthest, &[&account, &gateways]).await?;
            let kept = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            kept.collect::<Result<_, DatabaseFailed>>()
        };

        Ok(patiently(patience, read).await?)
    }

    async fn keep_status(
        &mut self,
        gateway: &str,
        status: &[u8],
        before: Option<&[u8]>,
        is_furthest: bool,
    ) -> Result<Stored, CollectFailed> {
        let (account, at) = (self.account.to_string(), signed(clock::now().0));
        let patience = self.settings.patience;
        let Ready { client, statements, .. } = self.ready()?;
        let write = async {
            let values: [&(dyn ToSql + Sync); 6] =
                [&account, &gateway, &at, &status, &is_furthest, &before];
            let kept = client.execute(&statements.status, &values).await?;
            Ok(if kept == 0 { Stored::Moved } else { Stored::Safe })
        };

        Ok(patiently(patience, write).await?)
    }

    async fn note(
        &mut self,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
    ) -> Result<bool, CollectFailed> {
        Ok(patiently(self.settings.patience, self.add_event(gateway, trouble, now)).await?)
    }

    fn keep_marks(&mut self, now: UnixSeconds) {
        if now == AT_THE_END {
            self.ratchets.keep_all();
        } else {
            self.ratchets.keep(now);
        }
    }

    async fn name(&mut self, dir: &Path) -> Result<(), CollectFailed> {
        let stamps = Sources::stamps(dir);
        if self.policy.as_ref() == Some(&stamps) {
            return Ok(());
        }
        match Policy::load(dir) {
            Ok(policy) => patiently(self.settings.patience, self.take_names(&policy)).await?,
            // `serve` and `check` say more; names are the old ones until then.
            Err(error) => debug!(%error, "names are not taken from the policy"),
        }
        self.policy = Some(stamps);

        Ok(())
    }
}
