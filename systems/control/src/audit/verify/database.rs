//! A database of collectors: its batches prove, and each row of its table is held against them.

use gateward_agent::proof::{Follower, Report};
use gateward_core::name::Uuid;

use super::super::database::{OfDatabase, Reading};
use super::beside::Beside;
use super::follow::follow;
use super::rows::Rows;
use super::{Asked, Keys, NotVerified};
use crate::audit::folder::Unreadable;
use crate::collect::{Database, DatabaseFailed};

/// Looks at everything that is kept in a database; with keys, of their account alone.
///
/// # Errors
///
/// It cannot be read; what is wrong with what it says is in the reports.
pub fn verify_database(
    database: &Database,
    asked: &Asked<'_>,
) -> Result<Vec<(String, Report)>, NotVerified> {
    let marks = asked.keys.map(Keys::marks).transpose()?;
    let reading = Reading::open(database)?;
    let of_keys = asked.keys.map(|keys| keys.account);
    let mut reports = Vec::new();
    let said = match asked.keys.zip(marks) {
        Some((keys, marks)) => {
            let statuses = reading.statuses(keys)?;
            let words = |name: &str| statuses.get(name).cloned().unwrap_or_default();
            let cluster = reading.cluster()?;
            if cluster.is_none() && marks.need_a_name() {
                return Err(DatabaseFailed::Nameless.into());
            }
            keys.said(words, |one| marks.of(cluster.as_deref(), &one.gateway))
        }
        None => Vec::new(),
    };
    for gateway in reading.gateways(asked.only, of_keys, &said)? {
        if gateway.enrolments.is_empty() {
            reports.push((gateway.name, Report::of(Follower::new(true))));
            continue;
        }
        let rows = Rows::new(reading.again(database)?, &gateway);
        let account = of_keys.or(gateway.account).unwrap_or(Uuid([0; 16]));
        let batches = OfDatabase { reading: &reading, gateway: &gateway };
        let followed = follow(batches, Beside::new(rows, asked.begins_later), account, asked);
        let (follower, unproved) = followed.map_err(Unreadable::Cut)?;
        reports.push((gateway.name.clone(), Report { unproved, ..Report::of(follower) }));
    }

    Ok(reports)
}
