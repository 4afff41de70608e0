//! A database of collectors as readers see it: what is held of each gateway, batch by batch.
//!
//! Everything is read in one transaction that changes nothing, so that a collector may go on
//! meanwhile. What people are shown is made from the batches, which prove; the table of records is
//! only ever compared with them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::ReadyChunks;
use gateward_agent::journal::json::{Line, Origin};
use gateward_agent::proof::{Follower, Mistake};
use gateward_agent::upload::stick::MAX_BATCH;
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, CopyOutStream, Row};

use super::folder::Unreadable;
use super::gateways::{self, ENROLMENTS, Enrolment, Gateway};
use super::steps::{Batches, Step};
use super::verify::Keys;
use super::witnesses::Said;
use crate::collect::shared::{Attendant, PATIENCE, check, cluster, connect_to_read, patiently};
use crate::collect::{Database, DatabaseFailed, ReadFailed};

/// How many batches are asked for at once.
const PAGE: i64 = 8;
/// How much of a copy is taken at once.
const CHUNKS: usize = 256;

/// What is still to come of a copy.
pub(super) type Chunks = Pin<Box<ReadyChunks<CopyOutStream>>>;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const PATH: &str = "SET search_path TO pg_catalog";
/// In the order of the keys there is an index; a sort of everything shows nothing for minutes.
const NO_SORT: &str = "SET LOCAL enable_sort = off";

const BATCHES: &str = "
    SELECT last, received_at, CASE WHEN octet_length(message) <= $5 THEN message END
    FROM gateward.batch
    WHERE gateway_id = $1::text::uuid AND incarnation = $2 AND (last, received_at) > ($3, $4)
    ORDER BY last, received_at LIMIT $6";

/// One that is too long is none of a gateway's.
const STATUSES: &str = "
    SELECT gateway, CASE WHEN octet_length(furthest) <= 384 THEN furthest ELSE '' END,
           CASE WHEN octet_length(said) <= 384 THEN said ELSE '' END
    FROM gateward.status WHERE account_id = $1::text::uuid AND gateway = ANY ($2)";

/// A connection that reads.
pub(super) struct Reading {
    runtime: Runtime,
    client: Client,
    patience: Duration,
    _attendant: Attendant,
}

impl Reading {
    pub(super) fn open(database: &Database) -> Result<Self, ReadFailed> {
        Self::begin(database, PATIENCE, BEGIN)
    }

    /// Returns another connection, which sees the same.
    pub(super) fn again(&self, database: &Database) -> Result<Self, ReadFailed> {
        let row = self.wait(self.client.query_one("SELECT pg_export_snapshot()", &[]))?;
        let same: &str = row.try_get(0).map_err(DatabaseFailed::from)?;
        let quoted = same.replace('\'', "''");

        Self::begin(
            database,
            self.patience,
            &format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{quoted}'"),
        )
    }

    fn begin(database: &Database, patience: Duration, begin: &str) -> Result<Self, ReadFailed> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DatabaseFailed::Said(error.to_string()))?;
        let begun = async {
            let (client, attendant) = connect_to_read(database).await?;
            // Whose role it is may have a path of its own, on which other things bear these names.
            client.batch_execute(PATH).await.map_err(DatabaseFailed::from)?;
            client.batch_execute(begin).await.map_err(DatabaseFailed::from)?;
            client.batch_execute(NO_SORT).await.map_err(DatabaseFailed::from)?;
            check(&client).await?;
            Ok::<_, ReadFailed>((client, attendant))
        };
        // The outer answer is whether it came in time.
        let begun = patiently(patience, async { Ok(begun.await) });
        let (client, attendant) = runtime.block_on(begun)??;

        Ok(Self { runtime, client, patience, _attendant: attendant })
    }

    /// Returns the name of the cluster, by which marks are kept; none where this role may not ask for it.
    pub(super) fn cluster(&self) -> Result<Option<String>, DatabaseFailed> {
        self.runtime.block_on(patiently(self.patience, cluster(&self.client)))
    }

    /// Waits for an answer, and not for ever.
    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DatabaseFailed> {
        self.runtime.block_on(patiently(self.patience, async { Ok(work.await?) }))
    }

    /// Returns the words that are kept of gateways, signed as they say, and none longer than any can be.
    pub(super) fn statuses(
        &self,
        keys: &Keys,
    ) -> Result<BTreeMap<String, Vec<Vec<u8>>>, DatabaseFailed> {
        let (account, names) = (keys.account().to_string(), keys.names());
        let rows = self.wait(self.client.query(STATUSES, &[&account, &names]))?;
        let read = |row: &Row| Ok((row.try_get(0)?, vec![row.try_get(1)?, row.try_get(2)?]));

        rows.iter().map(read).collect()
    }

    /// Returns what is held, gateway by gateway: of `only` one, and with keys of their account; with `said`
    /// elsewhere.
    pub(super) fn gateways(
        &self,
        only: Option<&str>,
        account: Option<Uuid>,
        said: &[(&str, Said)],
    ) -> Result<Vec<Gateway>, Unreadable> {
        let rows = self.wait(self.client.query(ENROLMENTS, &[]))?;
        let (mut gateways, other) = gateways::gateways(&rows).map_err(DatabaseFailed::from)?;
        if other > 0 {
            return Err(DatabaseFailed::Altered.into());
        }
        // Keys prove nothing about another account.
        gateways.retain(|one| {
            one.account.is_none() || account.is_none_or(|of| one.account == Some(of))
        });
        if let Some(account) = account {
            gateways::add_said(&mut gateways, account, said);
        }
        gateways::sort(&mut gateways);
        if let Some(only) = only {
            let id = account.map(|account| Uuid(GatewayId::of(account, only).0).to_string());
            gateways.retain(|one| one.name == only || id.as_ref() == Some(&one.id));
            if gateways.iter().all(|one| one.enrolments.is_empty()) {
                let (place, gateway) = ("the database".to_owned(), only.to_owned());
                return Err(Unreadable::NoSuchGateway { place, gateway });
            }
        }
        gateways::tell_apart(&mut gateways);

        Ok(gateways)
    }

    /// Shows every batch of an enrolment, none where it is longer than any may be.
    fn batches(
        &self,
        gateway: &Gateway,
        incarnation: Incarnation,
        mut show: impl FnMut(Option<&[u8]>),
    ) -> Result<(), DatabaseFailed> {
        let incarnation = incarnation.0.as_slice();
        let (mut last, mut at) = (i64::MIN, SystemTime::UNIX_EPOCH);
        let most = i32::try_from(MAX_BATCH).unwrap_or(i32::MAX);
        let statement = self.wait(self.client.prepare(BATCHES))?;
        loop {
            let rows = self.wait(
                self.client
                    .query(&statement, &[&gateway.id, &incarnation, &last, &at, &most, &PAGE]),
            )?;
            let Some(end) = rows.last() else { return Ok(()) };
            for row in &rows {
                show(row.try_get(2)?);
            }
            (last, at) = (end.try_get(0)?, end.try_get(1)?);
        }
    }

    /// Begins to copy what a query says, and goes on with [`Reading::more`].
    pub(super) fn copy(&self, query: &str) -> Result<Chunks, DatabaseFailed> {
        let copy = format!("COPY ({query}) TO STDOUT BINARY");
        let stream = self.wait(self.client.copy_out(&copy))?;

        Ok(Box::pin(stream.ready_chunks(CHUNKS)))
    }

    /// Returns what comes next of a copy; none at its end.
    pub(super) fn more(&self, chunks: &mut Chunks) -> Result<Option<Vec<Bytes>>, DatabaseFailed> {
        let next = self.wait(async { Ok(chunks.next().await) })?;

        Ok(next.map(|chunks| chunks.into_iter().collect()).transpose()?)
    }
}

/// The batches of a gateway, enrolment after enrolment.
pub(super) struct OfDatabase<'a> {
    pub(super) reading: &'a Reading,
    pub(super) gateway: &'a Gateway,
}

impl Batches for OfDatabase<'_> {
    fn each(self, show: &mut dyn FnMut(Step<'_>)) -> io::Result<()> {
        let mut count = 0;
        for Enrolment { incarnation, end, said } in &self.gateway.enrolments {
            let incarnation = *incarnation;
            let shown = self.reading.batches(self.gateway, incarnation, |message| {
                count += 1;
                let why = || "it is longer than any may be".to_owned();
                show(match message {
                    Some(message) => Step::Batch(message),
                    None => Step::Wrong(Mistake::Batch { batch: count, why: why() }),
                });
            });
            shown.map_err(io::Error::other)?;
            show(match *end {
                Some((through, head)) => Step::End { incarnation, through, head },
                None => Step::Wrong(Mistake::Unheld(incarnation)),
            });
            if let Some(said) = said {
                show(Step::Said { said, end: end.map_or(0, |(through, _)| through) });
            }
        }

        Ok(())
    }
}

/// Shows every record that the batches of a database prove, of one gateway after the other;
/// `begins_later` where what was there first was forgotten on purpose.
///
/// # Errors
///
/// The database cannot be read, what it has is not whole, or `show` fails.
pub fn each<E: From<Unreadable>>(
    database: &Database,
    only: Option<&str>,
    begins_later: bool,
    mut show: impl FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let reading = Reading::open(database).map_err(Unreadable::from)?;
    for gateway in reading.gateways(only, None, &[])? {
        each_of(&reading, &gateway, begins_later, &mut show)?;
    }

    Ok(())
}

fn each_of<E: From<Unreadable>>(
    reading: &Reading,
    gateway: &Gateway,
    begins_later: bool,
    show: &mut impl FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let account = gateway.account.unwrap_or(Uuid([0; 16]));
    let (mut follower, mut failed) = (Follower::new(!begins_later), None);
    let read = OfDatabase { reading, gateway }.each(&mut |step| {
        let Some(message) = step.heed(&mut follower).filter(|_| failed.is_none()) else { return };
        follower.take(
            message,
            |_, _| None,
            |at, entry, snapshot| {
                if failed.is_some() {
                    return;
                }
                let (gateway, incarnation) = (at.gateway, at.incarnation);
                let origin = Origin { account, gateway, incarnation };
                let line = Line::of(&entry.record, &origin, snapshot, &entry.head);
                failed = show(&line).err();
            },
        );
    });
    if let Some(failed) = failed {
        return Err(failed);
    }
    read.map_err(Unreadable::Cut)?;
    if !follower.finish().2.is_empty() {
        return Err(Unreadable::NotWhole { gateway: gateway.name.clone() }.into());
    }

    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_database_that_takes_a_connection_and_says_nothing_is_not_waited_for_for_ever() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let url = format!("postgres://auditor@127.0.0.1:{port}/gateward?sslmode=disable");
        let database = Database { url, password: None, ca: None };
        let patience = Duration::from_millis(50);

        let opened = Reading::begin(&database, patience, "BEGIN");
        let Err(ReadFailed::Failed(DatabaseFailed::Silent(after))) = opened else {
            panic!("it was waited for")
        };
        assert_eq!(after, patience);
    }
}
