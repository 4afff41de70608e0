//! A PostgreSQL database that several collectors share.
//!
//! Whoever adds records of a gateway locks the row of its position and looks whether that is still what
//! the batch goes on from; records, batch, position and events are written in one transaction. So each
//! record is there once and no position is behind a gap, whoever dies when. Receipts are signed for
//! what was committed. The database holds no key: see [`ratchets`].

mod connect;
mod month;
mod owned;
mod patient;
pub(super) mod proof;
mod ratchets;
pub(crate) mod rows;
mod schema;
mod statements;
mod tls;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::SinkExt as _;
use gateward_core::audit::{Head, SnapshotName};
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use tokio_postgres::{Client, Row, Transaction};
use tracing::warn;

use super::CollectFailed;
use super::bound::Bound;
use super::held::{Held, Trouble};
use super::store::{New, Stored};
use crate::enroll::Enrolled;
use crate::policy::{Policy, PrincipalStatus};
use crate::publish;
use connect::Settings;
pub(crate) use connect::{Attendant, PATIENCE, connect_to_read, patiently};
pub use connect::{BadDatabase, Database, DatabaseFailed, ReadFailed};
use month::Month;
use proof::Proven;
use ratchets::Ratchets;
pub(crate) use ratchets::{Marks, marks};
use rows::Copy;
pub(crate) use schema::{check, cluster};
use statements::Statements;

/// A table that has a partition for each month.
const RECORD: (&str, &str) = ("record", "created_at");
const BATCH: (&str, &str) = ("batch", "received_at");

/// The database, as one of its collectors sees it.
#[derive(Debug)]
pub(super) struct Shared {
    account: Uuid,
    settings: Settings,
    ready: Option<Ready>,
    ratchets: Ratchets,
    proven: Proven,
    events: Bound,
    policy: Option<Vec<(PathBuf, Option<SystemTime>)>>,
}

/// A connection on which everything is prepared.
#[derive(Debug)]
struct Ready {
    client: Client,
    _attendant: Attendant,
    statements: Statements,
    /// Partitions that are known to be there.
    months: BTreeSet<(&'static str, Month)>,
}

impl Shared {
    /// Reads how to reach `database`; does not yet.
    pub(super) fn new(database: &Database, dir: &Path) -> Result<Self, CollectFailed> {
        Ok(Self {
            account: publish::account(dir)?,
            settings: Settings::read(database)?,
            ready: None,
            ratchets: Ratchets::new(dir),
            proven: Proven::default(),
            events: Bound::default(),
            policy: None,
        })
    }

    fn ready(&mut self) -> Result<&mut Ready, DatabaseFailed> {
        self.ready.as_mut().ok_or(DatabaseFailed::Away)
    }

    #[cfg(test)]
    pub(super) fn with_patience(mut self, patience: std::time::Duration) -> Self {
        self.settings.patience = patience;

        self
    }

    async fn connect(&mut self) -> Result<(), DatabaseFailed> {
        let (mut client, attendant) = self.settings.connect().await?;
        schema::migrate(&mut client).await?;
        let statements = Statements::prepare(&client).await?;
        let name = cluster(&client).await?;
        if name.is_none() {
            warn!(
                "the marks of what is committed count for every cluster: this role may not ask `pg_control_system()` which one this is"
            );
        }
        self.ratchets.of_cluster(name.as_deref());
        let months = BTreeSet::new();
        self.ready = Some(Ready { client, _attendant: attendant, statements, months });

        Ok(())
    }

    fn id(&self, enrolled: &Enrolled) -> String {
        Uuid(enrolled.id(self.account).0).to_string()
    }

    async fn position(&mut self, enrolled: &Enrolled) -> Result<Held, DatabaseFailed> {
        let id = self.id(enrolled);
        let Ready { client, statements, .. } = self.ready()?;
        let incarnation = enrolled.incarnation.0.as_slice();
        let row = client.query_opt(&statements.position, &[&id, &incarnation]).await?;
        let Some(row) = row else { return Ok(Held::nothing(enrolled, (0, 0))) };
        let through =
            u64::try_from(row.try_get::<_, i64>(0)?).map_err(|_| DatabaseFailed::Altered)?;
        let (head, snapshot) = (Head(bytes(&row, 1)?), snapshot(&row)?);
        self.prove(enrolled, through, head).await?;
        let ratchet = self.ratchets.after(enrolled, through);
        let incarnation = enrolled.incarnation;

        Ok(Held { incarnation, through, head, ratchet, snapshot, bytes: 0, batches: 0 })
    }

    async fn add(&mut self, new: &New<'_, Copy>) -> Result<Stored, DatabaseFailed> {
        let (account, id) = (self.account.to_string(), self.id(new.enrolled));
        let ready = self.ready()?;
        let now = Month::of(new.now.0.saturating_mul(1_000));
        ready.ensure(BATCH, now).await?;
        for month in new.taken.rows.months().iter().filter(|month| month.is_near(now)) {
            ready.ensure(RECORD, *month).await?;
        }
        let Ready { client, statements, .. } = ready;
        let transaction = client.transaction().await?;
        if !lock(&transaction, statements, &account, &id, new).await? {
            return Ok(Stored::Moved);
        }
        let copy = transaction.copy_in(&statements.copy).await?;
        let mut copy = std::pin::pin!(copy);
        copy.send(new.taken.rows.message().freeze()).await?;
        copy.finish().await?;
        move_on(&transaction, statements, &id, new).await?;
        for trouble in new.late {
            let gateway = &new.enrolled.gateway;
            write_event(&transaction, statements, &account, gateway, trouble, new.now).await?;
        }
        transaction.commit().await?;
        let held = &new.taken.held;
        self.ratchets.take(new.enrolled, held.through, &held.ratchet, new.now);
        self.proven.take(new.enrolled, held.through, held.head);

        Ok(Stored::Safe)
    }

    /// Writes an event unless it is the gateway's last one already, from whichever collector.
    async fn add_event(
        &mut self,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
    ) -> Result<bool, DatabaseFailed> {
        if !self.events.has_room(gateway, trouble, now) {
            return Ok(false);
        }
        let account = self.account.to_string();
        let Ready { client, statements, .. } = self.ready()?;
        let transaction = client.transaction().await?;
        transaction.execute(&statements.lock_events, &[&format!("{account} {gateway}")]).await?;
        let last = transaction.query_opt(&statements.last_event, &[&account, &gateway]).await?;
        if let Some(row) = last {
            let (code, detail): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            if (code, detail) == (trouble.code(), trouble.to_string().as_str()) {
                return Ok(false);
            }
        }
        write_event(&transaction, statements, &account, gateway, trouble, now).await?;
        transaction.commit().await?;
        self.events.take(gateway, trouble, now);

        Ok(true)
    }

    async fn take_names(&mut self, policy: &Policy) -> Result<(), DatabaseFailed> {
        let account = self.account.to_string();
        let all = policy.principals();
        let ids: Vec<_> = all.iter().map(|one| one.id.to_string()).collect();
        let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
        let deleted: Vec<_> =
            all.iter().map(|one| one.status == PrincipalStatus::Deleted).collect();
        let Ready { client, statements, .. } = self.ready()?;
        let transaction = client.transaction().await?;
        transaction.execute(&statements.name, &[&account, &ids, &names, &deleted]).await?;
        transaction.execute(&statements.forget, &[&account, &ids]).await?;

        Ok(transaction.commit().await?)
    }
}

impl Ready {
    async fn ensure(
        &mut self,
        (table, column): (&'static str, &str),
        month: Month,
    ) -> Result<(), DatabaseFailed> {
        if !self.months.contains(&(table, month)) {
            schema::ensure_month(&mut self.client, table, column, month).await?;
            self.months.insert((table, month));
        }

        Ok(())
    }
}

/// Locks the position of a gateway; returns whether the batch goes on from there.
async fn lock(
    transaction: &Transaction<'_>,
    statements: &Statements,
    account: &str,
    id: &str,
    new: &New<'_, Copy>,
) -> Result<bool, DatabaseFailed> {
    let New { enrolled, before, .. } = new;
    let incarnation = enrolled.incarnation.0.as_slice();
    let start = Head::START.0.as_slice();
    transaction
        .execute(&statements.begin, &[&id, &incarnation, &account, &enrolled.gateway, &start])
        .await?;
    let row = transaction.query_one(&statements.lock, &[&id, &incarnation]).await?;
    let (through, head) = (number(row.try_get(0)?), bytes(&row, 1)?);

    Ok((through, Head(head)) == (before.through, before.head))
}

/// Writes the batch and that its records are held.
async fn move_on(
    transaction: &Transaction<'_>,
    statements: &Statements,
    id: &str,
    new: &New<'_, Copy>,
) -> Result<(), DatabaseFailed> {
    let held = &new.taken.held;
    let incarnation = held.incarnation.0.as_slice();
    let (first, last) = (signed(new.batch.first), signed(new.batch.last()));
    let at = signed(new.now.0);
    transaction
        .execute(&statements.batch, &[&id, &incarnation, &first, &last, &at, &new.message])
        .await?;
    let named = held.snapshot.as_ref();
    let (epoch, version) =
        (named.map(|named| i64::from(named.epoch)), named.map(|named| signed(named.number)));
    let root = named.map(|named| named.root.as_slice());
    let (through, head) = (signed(held.through), held.head.0.as_slice());
    transaction
        .execute(
            &statements.move_on,
            &[&id, &incarnation, &through, &head, &epoch, &version, &root],
        )
        .await?;

    Ok(())
}

async fn write_event(
    transaction: &Transaction<'_>,
    statements: &Statements,
    account: &str,
    gateway: &str,
    trouble: &Trouble,
    now: UnixSeconds,
) -> Result<(), DatabaseFailed> {
    // As with the texts of records: no zero byte. In the values, since in JSON the same six letters may
    // be a name's own.
    let shown = |text: &str| text.replace('\0', "\u{2400}");
    let mut more = trouble.details();
    for value in more.values_mut() {
        if let serde_json::Value::String(text) = value {
            *text = shown(text);
        }
    }
    let more = serde_json::Value::Object(more).to_string();
    let (code, detail, at) = (trouble.code(), shown(&trouble.to_string()), signed(now.0));
    transaction
        .execute(&statements.event, &[&at, &account, &gateway, &code, &detail, &more])
        .await?;

    Ok(())
}

/// As the database has numbers. Those that do not fit are made up, and come back as something else.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or_default()
}

fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], DatabaseFailed> {
    let bytes: &[u8] = row.try_get(column)?;

    bytes.try_into().map_err(|_| DatabaseFailed::Altered)
}

fn snapshot(row: &Row) -> Result<Option<SnapshotName>, DatabaseFailed> {
    let (epoch, version): (Option<i64>, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
    let (Some(epoch), Some(version)) = (epoch, version) else { return Ok(None) };
    let epoch = u32::try_from(epoch).map_err(|_| DatabaseFailed::Altered)?;

    Ok(Some(SnapshotName { epoch, number: number(version), root: bytes(row, 4)? }))
}
