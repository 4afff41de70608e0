//! Whose records a database holds: every gateway and enrolment that any of its tables knows.

use std::collections::BTreeMap;

use gateward_core::audit::Head;
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation};
use tokio_postgres::{Error, Row};

use super::witnesses::Said;

/// Those enrolments that came first come first. Of the large table the index is leapt over.
pub(super) const ENROLMENTS: &str = "
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
    SELECT known.id::text, known.inc, position.gateway, position.account_id::text,
           position.through, position.head
    FROM known LEFT JOIN gateward.position
        ON position.gateway_id = known.id AND position.incarnation = known.inc
    ORDER BY position.at NULLS LAST, known.inc";

/// What is held of a gateway.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    /// As the database writes it.
    pub(super) id: String,
    /// Its id where no row of the database says a name that this is the id of.
    pub(super) name: String,
    pub(super) account: Option<Uuid>,
    pub(super) enrolments: Vec<Enrolment>,
}

/// What is held of an enrolment.
#[derive(Clone, Debug)]
pub(super) struct Enrolment {
    pub(super) incarnation: Incarnation,
    /// Where collectors say that its records end; none where no row says so that fits the gateway.
    pub(super) end: Option<(u64, Head)>,
    /// What is said of it elsewhere.
    pub(super) said: Option<Said>,
}

/// One row.
struct Known {
    id: String,
    /// Name and account, where they make that id.
    whose: Option<(String, Uuid)>,
    enrolment: Enrolment,
}

/// Returns none for a row that is of no enrolment.
fn read(row: &Row) -> Result<Option<Known>, Error> {
    let (id, incarnation): (String, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
    let (name, account): (Option<String>, Option<&str>) = (row.try_get(2)?, row.try_get(3)?);
    let (through, head): (Option<i64>, Option<&[u8]>) = (row.try_get(4)?, row.try_get(5)?);
    let Ok(incarnation) = incarnation.try_into() else { return Ok(None) };
    let of =
        |(name, account): &(String, Uuid)| Uuid(GatewayId::of(*account, name).0).to_string() == id;
    let whose = name.zip(account.and_then(Uuid::parse)).filter(of);
    let through = through.and_then(|through| u64::try_from(through).ok());
    let end = through.zip(head.and_then(|head| Some(Head(head.try_into().ok()?))));
    let end = end.filter(|_| whose.is_some());

    let enrolment = Enrolment { incarnation: Incarnation(incarnation), end, said: None };

    Ok(Some(Known { id, whose, enrolment }))
}

/// Returns the gateways that rows of [`ENROLMENTS`] tell of, and how many rows tell of none.
pub(super) fn gateways(rows: &[Row]) -> Result<(Vec<Gateway>, usize), Error> {
    let mut all: BTreeMap<String, Gateway> = BTreeMap::new();
    let mut other = 0;
    for row in rows {
        let Some(Known { id, whose, enrolment }) = read(row)? else {
            other += 1;
            continue;
        };
        let gateway = all.entry(id.clone()).or_insert_with(|| {
            let (name, account, enrolments) = (id.clone(), None, Vec::new());
            Gateway { id, name, account, enrolments }
        });
        if let Some((name, account)) = whose {
            (gateway.name, gateway.account) = (name, Some(account));
        }
        gateway.enrolments.push(enrolment);
    }

    Ok((all.into_values().collect(), other))
}

/// Adds what is said elsewhere of gateways of an account, and those of which nothing is held.
pub(super) fn add_said(gateways: &mut Vec<Gateway>, account: Uuid, said: &[(&str, Said)]) {
    for (name, said) in said {
        let id = Uuid(GatewayId::of(account, name).0).to_string();
        let at = gateways.iter().position(|one| one.id == id).unwrap_or_else(|| {
            let (name, account, enrolments) = ((*name).to_owned(), Some(account), Vec::new());
            gateways.push(Gateway { id, name, account, enrolments });
            gateways.len() - 1
        });
        let Some(gateway) = gateways.get_mut(at) else { continue };
        let incarnation = said.incarnation;
        let of = |one: &&mut Enrolment| one.incarnation == incarnation;
        if let Some(enrolment) = gateway.enrolments.iter_mut().find(of) {
            enrolment.said = Some(*said);
        } else if said.is_something() {
            let end = Some((0, Head::START));
            gateway.enrolments.push(Enrolment { incarnation, end, said: Some(*said) });
        }
    }
}

/// Sorts by name.
pub(super) fn sort(gateways: &mut [Gateway]) {
    gateways.sort_by(|one, next| (&one.name, &one.id).cmp(&(&next.name, &next.id)));
}

/// Two accounts may each have a gateway of one name.
pub(super) fn tell_apart(gateways: &mut [Gateway]) {
    let names: Vec<_> = gateways.iter().map(|gateway| gateway.name.clone()).collect();
    for gateway in gateways {
        let is_shared = names.iter().filter(|name| **name == gateway.name).count() > 1;
        if let Some(account) = gateway.account.filter(|_| is_shared) {
            gateway.name = format!("{} of account {account}", gateway.name);
        }
    }
}
