//! The tables, version by version, and a partition for each month.
//!
//! A change is made once, by whichever collector comes first, in one transaction.

use tokio_postgres::{Client, Transaction};

use super::DatabaseFailed;
use super::month::Month;

/// In order; a version is never changed once it was released, another is added.
const MIGRATIONS: [&str; 2] =
    [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// Every collector of a database takes this lock before it changes a table.
const LOCK: i64 = 0x6761_7465_7761_7264;

/// Makes the tables what this program expects.
pub(super) async fn migrate(client: &mut Client) -> Result<(), DatabaseFailed> {
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    transaction
        .batch_execute(
            "CREATE SCHEMA IF NOT EXISTS gateward;
             CREATE TABLE IF NOT EXISTS gateward.schema (
                 version bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
             SET LOCAL search_path TO gateward;",
        )
        .await?;
    let row = transaction.query_one("SELECT coalesce(max(version), 0) FROM schema", &[]).await?;
    let found: i64 = row.try_get(0)?;
    let known = MIGRATIONS.len() as u64;
    let done = u64::try_from(found).ok().filter(|done| *done <= known);
    let Some(done) = done else { return Err(DatabaseFailed::Newer { found, known }) };
    for (version, sql) in (1_i64..).zip(MIGRATIONS).skip(usize::try_from(done).unwrap_or_default())
    {
        transaction.batch_execute(sql).await?;
        transaction.execute("INSERT INTO schema (version) VALUES ($1)", &[&version]).await?;
    }
    transaction.commit().await?;
    // Connections of this collector speak of these tables only.
    client.batch_execute("SET search_path TO gateward").await?;

    Ok(())
}

/// Sees whether the tables are what this program reads, and changes nothing.
pub(crate) async fn check(client: &Client) -> Result<(), DatabaseFailed> {
    let there = "SELECT to_regclass('gateward.schema') IS NOT NULL";
    if !client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Err(DatabaseFailed::Empty);
    }
    let row =
        client.query_one("SELECT coalesce(max(version), 0) FROM gateward.schema", &[]).await?;
    let (found, known): (i64, _) = (row.try_get(0)?, MIGRATIONS.len() as u64);

    match u64::try_from(found) {
        Ok(done) if done == known => Ok(()),
        Ok(done) if done < known => Err(DatabaseFailed::Older),
        _ => Err(DatabaseFailed::Newer { found, known }),
    }
}

/// Returns the name of the cluster, which nobody changes who may write tables, and which replicas and copies of its
/// files share; none where this role may not ask for it.
pub(crate) async fn cluster(client: &Client) -> Result<Option<String>, DatabaseFailed> {
    let may =
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";
    if !client.query_one(may, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let asked = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
    let row = client.query_one(asked, &[]).await?;

    Ok(Some(row.try_get::<_, i64>(0)?.to_string()))
}

async fn lock(transaction: &Transaction<'_>) -> Result<(), DatabaseFailed> {
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;

    Ok(())
}

/// Makes the partition of `table` for a month; what had come for it before moves there.
pub(super) async fn ensure_month(
    client: &mut Client,
    table: &str,
    column: &str,
    month: Month,
) -> Result<(), DatabaseFailed> {
    let name = format!("{table}_{month}");
    let (from, to) = (month.first_day(), month.next().first_day());
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    let found = transaction.query_one("SELECT to_regclass($1) IS NULL", &[&name]).await?;
    if found.try_get(0)? {
        transaction
            .batch_execute(&format!(
                "CREATE TABLE {name} (LIKE {table} INCLUDING ALL);
                 WITH moved AS (
                     DELETE FROM {table}_other
                     WHERE {column} >= '{from}' AND {column} < '{to}' RETURNING *)
                 INSERT INTO {name} SELECT * FROM moved;
                 ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');"
            ))
            .await?;
    }
    transaction.commit().await?;

    Ok(())
}
