//! What happens to the fleet, in this order; each step is a row of figures.

use core::ops::Range;
use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use gateward_control::fleet;
use gateward_core::time::Millis;

use crate::args::{Args, Ending};
use crate::board::{Board, Row};
use crate::figures::{Figures, most_within};
use crate::files;
use crate::fleet::Fleet;
use crate::ledger::{Seen, Verdict};
use crate::usage::Usage;
use crate::wait::{Missed, until};

/// The span in which reconnections are counted.
const SPAN_MS: u64 = 100;

/// Tells everything.
///
/// # Errors
///
/// Something does not hold, or could not be tried.
pub(crate) async fn tell(args: &Args, board: &mut Board) -> Result<()> {
    board.files(files::raise(args.gateways, args.behind())?)?;
    let mut fleet = Fleet::set_up(args).await?;
    board.begin(args, &fleet.broker.version())?;
    let everybody = 0..args.gateways;

    let connected = connect(&mut fleet, args, board).await?;
    board.row(connected)?;
    for number in 1..=args.revocations {
        let name = format!("revocation {number}");
        board.row(revoke(&mut fleet, name, everybody.clone()).await?)?;
    }
    if args.partition.is_some() {
        partition(&mut fleet, args, board).await?;
    }
    if let Some(ending) = args.restart_broker {
        board.row(restart(&mut fleet, ending, everybody.clone()).await?)?;
        let name = "revocation after that".to_owned();
        board.row(revoke(&mut fleet, name, everybody.clone()).await?)?;
    }
    agree(&fleet, args, board).await?;
    fleet.end().await?;

    board.within(args.p99_below_ms)
}

async fn connect(fleet: &mut Fleet, args: &Args, board: &mut Board) -> Result<Row> {
    let before = fleet.before();
    fleet.start(args.at_once).await?;
    settled(fleet, 0..args.gateways).await?;
    let (broker, own) = fleet.since(&before);
    board.memory(own.resident_kib, broker.resident_kib, args.gateways);
    let times = fleet.ledger.each(0..args.gateways, |seen| {
        seen.served_at.map(|served| served.since(seen.started)).unwrap_or_default()
    });

    Ok(Row {
        from: "the start of each gateway until a snapshot was in force",
        ..row(fleet, "connected".to_owned(), times, before.at, (broker, own))
    })
}

/// Revokes the next token and waits until each of these gateways has refused it.
async fn revoke(fleet: &mut Fleet, name: String, which: Range<usize>) -> Result<Row> {
    let token = fleet.ledger.revoke_next();
    let verdict = move |seen: &Seen| seen.verdict(token);
    fleet.ledger.none(which.clone(), "did not allow a token that nobody had revoked", |seen| {
        verdict(seen) != Verdict::Allowed
    })?;
    let lookup = fleet.lookups.get(token).context("there is a token for each revocation")?;
    fleet.account.disable(lookup)?;

    let before = fleet.before();
    fleet.publish().await?;
    let published_ms = Some(fleet.ledger.now().since(before.at));
    let refused = |seen: &Seen| matches!(verdict(seen), Verdict::Refused(_));
    fleet.ledger.all(which.clone(), "a refusal everywhere", refused).await?;
    settled(fleet, which.clone()).await?;
    let used = fleet.since(&before);
    let times = refusals(fleet, token, which, before.at);

    Ok(Row {
        from: "the begin of the publish until the token was refused",
        published_ms,
        budgeted: true,
        ..row(fleet, name, times, before.at, used)
    })
}

/// Cuts some off, revokes for the others, and mends the cable.
async fn partition(fleet: &mut Fleet, args: &Args, board: &mut Board) -> Result<()> {
    let cut_off = 0..args.behind();
    fleet.cable.cut();
    fleet.ledger.all(cut_off.clone(), "a lost link", |seen| !seen.up).await?;
    let name = format!("revocation, {} cut off", cut_off.len());
    board.row(revoke(fleet, name, cut_off.end..args.gateways).await?)?;
    let token = args.revocations;
    fleet.ledger.none(cut_off.clone(), "heard what was said while they were cut off", |seen| {
        seen.verdict(token) != Verdict::Allowed
    })?;

    let before = fleet.before();
    fleet.cable.mend();
    let refused = |seen: &Seen| matches!(seen.verdict(token), Verdict::Refused(_));
    fleet.ledger.all(cut_off.clone(), "a refusal where it was cut off", refused).await?;
    settled(fleet, cut_off.clone()).await?;
    let used = fleet.since(&before);
    let ups = fleet.ledger.each(cut_off.clone(), |seen| seen.up_at.0);
    let times = refusals(fleet, token, cut_off, before.at);

    board.row(Row {
        from: "the mending of the cable until the token was refused",
        most_in_100_ms: Some(most_within(ups, SPAN_MS)),
        ..row(fleet, "those cut off, mended".to_owned(), times, before.at, used)
    })
}

/// Ends the broker, starts it again, and waits until everybody is back.
async fn restart(fleet: &mut Fleet, ending: Ending, which: Range<usize>) -> Result<Row> {
    let name = match ending {
        Ending::Kill => "broker killed, reconnected",
        Ending::Stop => "broker stopped, reconnected",
    };
    match ending {
        Ending::Kill => fleet.broker.kill()?,
        Ending::Stop => fleet.broker.stop().await?,
    }
    fleet.ledger.all(which.clone(), "a lost link", |seen| !seen.up).await?;
    let before = fleet.before();
    let back = fleet.ledger.now();
    fleet.broker.start_again().await?;
    fleet.ledger.all(which.clone(), "a link", |seen| seen.up).await?;
    let used = (fleet.broker.since_start(), fleet.own_since(&before));
    let ups = fleet.ledger.each(which, |seen| seen.up_at);
    let times = ups.iter().map(|up| up.since(back)).collect();

    Ok(Row {
        from: "the start of the broker until each was connected",
        most_in_100_ms: Some(most_within(ups.into_iter().map(|up| up.0).collect(), SPAN_MS)),
        ..row(fleet, name.to_owned(), times, back, used)
    })
}

/// Waits until each of these gateways has the newest version and lacks nothing.
async fn settled(fleet: &Fleet, which: Range<usize>) -> Result<()> {
    let newest =
        |seen: &Seen| fleet.newest.get(seen.group) == Some(&seen.version) && !seen.lacks && seen.up;

    fleet.ledger.all(which, "the newest version everywhere", newest).await
}

/// Fails unless everybody has the same, and the control plane hears so.
async fn agree(fleet: &Fleet, args: &Args, board: &mut Board) -> Result<()> {
    settled(fleet, 0..args.gateways).await?;
    let lists = fleet.ledger.each(0..args.gateways, |seen| (seen.group, seen.list));
    let mut by_group = BTreeMap::new();
    for (group, list) in lists {
        if *by_group.entry(group).or_insert(list) != list {
            return Err(Missed(format!("gateways of group {group} have different lists")).into());
        }
    }
    let port = fleet.broker.port();
    let heard = until("a status of every gateway that says the same", async || {
        let rows = fleet.account.status(port).await?;
        Ok(rows.iter().all(is_well).then_some(rows.len()))
    });
    let heard = heard.await?;
    fleet.ledger.faultless()?;
    let mut rejected = BTreeMap::new();
    for code in fleet.ledger.each(0..args.gateways, |seen| seen.rejected.clone()).concat() {
        *rejected.entry(code).or_insert(0) += 1;
    }

    board.agreed(heard, rejected)
}

fn is_well(row: &fleet::Row) -> bool {
    let said = row.said.as_ref().is_some_and(|said| !said.gone);

    said && !row.behind && row.problem.is_none() && row.alarm.is_none()
}

/// Returns how long after `since` each of these gateways refused a token.
fn refusals(fleet: &Fleet, token: usize, which: Range<usize>, since: Millis) -> Vec<u64> {
    let of = |seen: &Seen| match seen.verdict(token) {
        Verdict::Refused(at) => at.since(since),
        Verdict::Allowed | Verdict::Unasked => u64::MAX,
    };

    fleet.ledger.each(which, of)
}

fn row(
    fleet: &Fleet,
    name: String,
    times: Vec<u64>,
    since: Millis,
    (broker, own): (Usage, Usage),
) -> Row {
    let gateways = times.len();
    let each = |bytes: u64| bytes.checked_div(gateways as u64).unwrap_or_default();

    Row {
        name,
        gateways,
        figures: Figures::of(times),
        whole_ms: fleet.ledger.now().since(since),
        bytes_to_each: each(broker.written),
        bytes_from_each: each(broker.read),
        broker_cpu_ms: broker.cpu_ms,
        own_cpu_ms: own.cpu_ms,
        ..Row::default()
    }
}
