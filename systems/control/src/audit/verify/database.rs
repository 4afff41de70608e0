//! A database of collectors: its batches prove, and each row of its table is held against them.

use std::io;

use gateward_agent::proof::{Mistake, Report};
use gateward_core::name::Uuid;

use super::super::database::{Place, Reading, by_gateway};
use super::beside::Beside;
use super::follow::{Batches, Step, follow};
use super::rows::Rows;
use super::{Keys, NotVerified};
use crate::collect::Database;

/// Looks at everything that is kept of every gateway in a database, or of `only` one.
///
/// # Errors
///
/// It cannot be read; what is wrong with what it says is in the reports.
pub fn verify_database(
    database: &Database,
    only: Option<&str>,
    keys: Option<&Keys>,
) -> Result<Vec<(String, Report)>, NotVerified> {
    let batches = Reading::open(database)?;
    let places = batches.places(only)?;
    let mut reports = Vec::new();
    for places in by_gateway(&places) {
        let rows = Rows::new(batches.again(database)?, places);
        let of_keys = keys.map(|keys| keys.account);
        let account = of_keys.or(places.iter().find_map(|place| place.account));
        let account = account.unwrap_or(Uuid([0; 16]));
        let of = OfDatabase { reading: &batches, places };
        let follower = follow(of, Beside::new(rows), account, keys).map_err(NotVerified::Cut)?;
        let name = places.first().map(|place| place.gateway.clone()).unwrap_or_default();
        reports.push((name, Report::of(follower)));
    }

    Ok(reports)
}

struct OfDatabase<'a> {
    reading: &'a Reading,
    /// The enrolments of one gateway.
    places: &'a [Place],
}

impl Batches for OfDatabase<'_> {
    fn each(self, show: &mut dyn FnMut(Step<'_>)) -> io::Result<()> {
        let mut count = 0;
        for place in self.places {
            let shown = self.reading.batches(place, |message| {
                count += 1;
                let why = || "it is longer than any may be".to_owned();
                show(match message {
                    Some(message) => Step::Batch(message),
                    None => Step::Wrong(Mistake::Batch { batch: count, why: why() }),
                });
            });
            shown.map_err(io::Error::other)?;
            let incarnation = place.incarnation;
            show(match place.through {
                Some(through) => Step::Held { incarnation, through },
                None => Step::Wrong(Mistake::Unheld(incarnation)),
            });
        }

        Ok(())
    }
}
