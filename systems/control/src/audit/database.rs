//! A database of collectors as readers see it: what is held of each gateway, batch by batch.
//!
//! Everything is read in one transaction that changes nothing, so that a collector may go on
//! meanwhile. What people are shown is made from the batches, which prove; the table of records is
//! only ever compared with them.

use std::pin::Pin;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::ReadyChunks;
use gateward_agent::journal::json::{Line, Origin};
use gateward_agent::proof::Follower;
use gateward_agent::upload::stick::MAX_BATCH;
use gateward_core::name::Uuid;
use gateward_core::trust::Incarnation;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, CopyOutStream, Row};

use super::folder::Unreadable;
use crate::collect::shared::{Attendant, check, connect_to_read};
use crate::collect::{Database, DatabaseFailed, ReadFailed};

/// How many batches are asked for at once.
const PAGE: i64 = 8;
/// How much of a copy is taken at once.
const CHUNKS: usize = 256;

/// What is still to come of a copy.
pub(super) type Chunks = Pin<Box<ReadyChunks<CopyOutStream>>>;

/// Every enrolment that any table knows, those that came first first. Of the large table the index is
/// leapt over.
const PLACES: &str = "
    WITH RECURSIVE leap (id, inc) AS (
        (SELECT gateway_id, incarnation FROM gateward.record ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT next.gateway_id, next.incarnation FROM leap, LATERAL (
            SELECT gateway_id, incarnation FROM gateward.record
            WHERE (gateway_id, incarnation) > (leap.id, leap.inc) ORDER BY 1, 2 LIMIT 1) AS next
    ), known (id, inc) AS (
        SELECT id, inc FROM leap
        UNION SELECT gateway_id, incarnation FROM gateward.batch
        UNION SELECT gateway_id, incarnation FROM gateward.position
    )
    SELECT known.id::text, known.inc, coalesce(position.gateway, known.id::text),
           position.account_id::text, position.through
    FROM known LEFT JOIN gateward.position
        ON position.gateway_id = known.id AND position.incarnation = known.inc
    ORDER BY 3, known.id, position.at NULLS LAST, known.inc";

const BATCHES: &str = "
    SELECT last, received_at, CASE WHEN octet_length(message) <= $5 THEN message END
    FROM gateward.batch
    WHERE gateway_id = $1::text::uuid AND incarnation = $2 AND (last, received_at) > ($3, $4)
    ORDER BY last, received_at LIMIT $6";

/// What is held of an enrolment.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The gateway's id, as the database writes it.
    pub(super) id: String,
    pub(super) incarnation: Incarnation,
    /// The gateway's name; its id where no collector says one.
    pub(super) gateway: String,
    pub(super) account: Option<Uuid>,
    /// How far receipts were signed; none where the row that says it is gone.
    pub(super) through: Option<u64>,
}

/// A connection that reads.
pub(super) struct Reading {
    runtime: Runtime,
    client: Client,
    _attendant: Attendant,
}

impl Reading {
    pub(super) fn open(database: &Database) -> Result<Self, ReadFailed> {
        Self::begin(database, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    /// Returns another connection, which sees the same.
    pub(super) fn again(&self, database: &Database) -> Result<Self, ReadFailed> {
        let row = self.ask("SELECT pg_export_snapshot()")?;
        let same: &str = row.try_get(0).map_err(DatabaseFailed::from)?;
        let quoted = same.replace('\'', "''");

        Self::begin(
            database,
            &format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{quoted}'"
            ),
        )
    }

    fn begin(database: &Database, begin: &str) -> Result<Self, ReadFailed> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DatabaseFailed::Said(error.to_string()))?;
        let (client, attendant) = runtime.block_on(async {
            let (client, attendant) = connect_to_read(database).await?;
            client.batch_execute(begin).await.map_err(DatabaseFailed::from)?;
            check(&client).await?;
            Ok::<_, ReadFailed>((client, attendant))
        })?;

        Ok(Self { runtime, client, _attendant: attendant })
    }

    fn ask(&self, sql: &str) -> Result<Row, DatabaseFailed> {
        Ok(self.runtime.block_on(self.client.query_one(sql, &[]))?)
    }

    /// Returns what is held, gateway by gateway, or of `only` one.
    pub(super) fn places(&self, only: Option<&str>) -> Result<Vec<Place>, Unreadable> {
        let rows = self.runtime.block_on(self.client.query(PLACES, &[]));
        let rows = rows.map_err(DatabaseFailed::from)?;
        let mut places = rows.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        if let Some(only) = only {
            places.retain(|place| place.gateway == only);
            if places.is_empty() {
                let (place, gateway) = ("the database".to_owned(), only.to_owned());
                return Err(Unreadable::NoSuchGateway { place, gateway });
            }
        }

        Ok(places)
    }

    /// Shows every batch of a place, none where it is longer than any may be.
    pub(super) fn batches(
        &self,
        place: &Place,
        mut show: impl FnMut(Option<&[u8]>),
    ) -> Result<(), DatabaseFailed> {
        let incarnation = place.incarnation.0.as_slice();
        let (mut last, mut at) = (i64::MIN, SystemTime::UNIX_EPOCH);
        let most = i32::try_from(MAX_BATCH).unwrap_or(i32::MAX);
        let statement = self.runtime.block_on(self.client.prepare(BATCHES))?;
        loop {
            let rows = self.runtime.block_on(
                self.client.query(&statement, &[&place.id, &incarnation, &last, &at, &most, &PAGE]),
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
        let stream = self.runtime.block_on(self.client.copy_out(&copy))?;

        Ok(Box::pin(stream.ready_chunks(CHUNKS)))
    }

    /// Returns what comes next of a copy; none at its end.
    pub(super) fn more(&self, chunks: &mut Chunks) -> Result<Option<Vec<Bytes>>, DatabaseFailed> {
        let next = self.runtime.block_on(chunks.next());

        Ok(next.map(|chunks| chunks.into_iter().collect()).transpose()?)
    }
}

fn place(row: &Row) -> Result<Place, DatabaseFailed> {
    let incarnation: &[u8] = row.try_get(1)?;
    let account: Option<&str> = row.try_get(3)?;
    let through: Option<i64> = row.try_get(4)?;

    Ok(Place {
        id: row.try_get(0)?,
        incarnation: Incarnation(incarnation.try_into().map_err(|_| DatabaseFailed::Altered)?),
        gateway: row.try_get(2)?,
        account: account.and_then(Uuid::parse),
        through: through.map(|through| u64::try_from(through).unwrap_or_default()),
    })
}

/// The places of each gateway together, which [`Reading::places`] returns side by side.
pub(super) fn by_gateway(places: &[Place]) -> impl Iterator<Item = &[Place]> {
    places.chunk_by(|one, other| one.id == other.id)
}

/// Shows every record that the batches of a database prove, of one gateway after the other.
///
/// # Errors
///
/// The database cannot be read, what it has is not whole, or `show` fails.
pub fn each<E: From<Unreadable>>(
    database: &Database,
    only: Option<&str>,
    mut show: impl FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let reading = Reading::open(database).map_err(Unreadable::from)?;
    let places = reading.places(only)?;
    for places in by_gateway(&places) {
        let mut follower = Follower::new(true);
        for place in places {
            each_of(&reading, place, &mut follower, &mut show)?;
        }
        if !follower.finish().2.is_empty() {
            let gateway = places.first().map(|place| place.gateway.clone()).unwrap_or_default();
            return Err(Unreadable::NotWhole { gateway }.into());
        }
    }

    Ok(())
}

fn each_of<E: From<Unreadable>>(
    reading: &Reading,
    place: &Place,
    follower: &mut Follower,
    show: &mut impl FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let account = place.account.unwrap_or(Uuid([0; 16]));
    let mut failed = None;
    let read = reading.batches(place, |message| {
        let Some(message) = message.filter(|_| failed.is_none()) else { return };
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
    read.map_err(Unreadable::from)?;

    failed.map_or(Ok(()), Err)
}
