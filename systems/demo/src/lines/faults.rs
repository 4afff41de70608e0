//! What goes wrong at a factory, and what a hostile broker does.

use anyhow::{Context as _, Result};
use gateward_agent::clock::Clock;
use gateward_core::topic::GroupTopic;
use gateward_core::trust::{manifest, sign};
use gateward_loopback_broker::Delivery;
use serde_json::{Value, json};

use crate::people::People;
use crate::wait::{same, until};
use crate::world::World;

/// How many questions are asked without a cable.
const QUESTIONS: u32 = 20;

pub(super) async fn cable(world: &mut World, clock: &Clock) -> Result<String> {
    world.cut().await?;
    let mut slowest = 0;
    for _ in 0..QUESTIONS {
        let asked = clock.now();
        same("allow", true, allows(world, &world.people.ana.text).await?)?;
        slowest = clock.now().since(asked).max(slowest);
    }
    let status = world.gateway.status().await?;
    same("link in the status", &json!("down"), status.get("link").unwrap_or(&Value::Null))?;
    world.mend().await?;

    Ok(format!("{QUESTIONS} decisions, the slowest in {slowest} ms"))
}

pub(super) async fn disabled(world: &World, clock: &Clock) -> Result<String> {
    let (ana, lost) = (&world.people.ana.text, &world.people.lost.text);
    same("allow before", true, allows(world, lost).await?)?;
    world.people.disable_lost(&world.control)?;
    let began = clock.now();
    let refusal = async {
        until("a refusal", async || {
            Ok(if allows(world, lost).await? { Err("allow".to_owned()) } else { Ok(()) })
        })
        .await?;
        Ok(clock.now().since(began))
    };
    let (done, ms) = tokio::try_join!(world.control.publish(world.port()), refusal)?;
    // The revocation list is there before the snapshot that says the same.
    world.gateway.shows("/snapshot/version", json!(done.version.number)).await?;
    same("allow for her other token", true, allows(world, ana).await?)?;

    Ok(format!("{ms} ms after publishing began"))
}

pub(super) async fn replayed(world: &World, old: Vec<u8>) -> Result<String> {
    let version = version(world).await?;
    let known = world.collector.rejections()?.len();
    let good = world.retained(GroupTopic::Manifest)?;
    world.plant(GroupTopic::Manifest, old)?;
    let why = world.collector.rejection(known).await?;
    same("why it was refused", "rollback manifest", &why)?;
    world.gateway.runs_on(version).await?;
    same("allow for the disabled token", false, allows(world, &world.people.lost.text).await?)?;
    world.plant(GroupTopic::Manifest, good)?;

    Ok(format!("{why}, version {version} stays"))
}

pub(super) async fn flipped(world: &World) -> Result<String> {
    let before = version(world).await?;
    let known = world.collector.rejections()?.len();
    // The delta that rides along with the manifest, and the chunks of the whole file.
    world.broker.set_tamper(Some(Box::new(|topic, payload| {
        if is_chunk(topic) {
            Delivery::Altered(with_a_bit_flipped(payload))
        } else if topic.ends_with("/manifest") {
            Delivery::Altered(with_deltas_flipped(payload))
        } else {
            Delivery::AsIs
        }
    })));
    let new = People::another(&world.control)?;
    let after = world.control.publish(world.port()).await?.version.number;
    let why = world.collector.rejection(known).await?;
    let code = why.split(' ').next().unwrap_or_default();
    same("why it was refused", "bad_delta", code)?;
    let why = world.collector.rejection(known + 1).await?;
    let code = why.split(' ').next().unwrap_or_default();
    same("why it was refused", "altered", code)?;
    world.gateway.runs_on(before).await?;
    same("allow for a token of the new version", false, allows(world, &new.text).await?)?;

    world.broker.set_tamper(None);
    for topic in world.broker.retained_topics().iter().filter(|topic| is_chunk(topic)) {
        world.broker.plant(topic, world.broker.retained(topic).unwrap_or_default());
    }
    world.gateway.shows("/snapshot/version", json!(after)).await?;
    same("allow once it came whole", true, allows(world, &new.text).await?)?;

    Ok(format!("delta and chunk, version {before} stays until {after} is whole"))
}

pub(super) async fn restarted(world: &mut World, clock: &Clock) -> Result<String> {
    let version = version(world).await?;
    world.cut().await?;
    world.gateway.stop().await?;
    let began = clock.now();
    world.gateway.start().await?;
    same("allow", true, allows(world, &world.people.ana.text).await?)?;
    let ms = clock.now().since(began);
    world.gateway.runs_on(version).await?;
    same("allow for the disabled token", false, allows(world, &world.people.lost.text).await?)?;
    world.gateway.shows("/boot", json!(2)).await?;
    world.gateway.shows("/link", json!("down")).await?;
    world.mend().await?;

    Ok(format!("version {version} from disk, after {ms} ms"))
}

/// Every record that the gateway has numbered is in the collector's folder, once, and the gateway
/// knows it.
pub(super) async fn acknowledged(world: &World) -> Result<String> {
    let (written, acknowledged) = until("a receipt for every record", async || {
        let status = world.gateway.status().await?;
        let number = |pointer| status.pointer(pointer).and_then(Value::as_u64);
        let (seq, backlog) = number("/audit/seq").zip(number("/audit/backlog")).unwrap_or_default();
        let kept = world.collector.records()?;
        let complete = kept.iter().map(|record| record.get("seq").and_then(Value::as_u64));

        Ok(if seq > 0 && backlog == 0 && complete.eq((1..=seq).map(Some)) {
            Ok((seq, seq - backlog))
        } else {
            Err(format!("{} kept of {seq}, {backlog} without a receipt", kept.len()))
        })
    })
    .await?;

    Ok(format!("{acknowledged} of {written}"))
}

async fn version(world: &World) -> Result<u64> {
    let status = world.gateway.status().await?;

    status.pointer("/snapshot/version").and_then(Value::as_u64).context("no version in force")
}

/// Asks whether a token may change a device in its division.
async fn allows(world: &World, token: &str) -> Result<bool> {
    let question = json!({
        "token": token,
        "permission": "manage_device",
        "operation": "write",
        "division": "plant-7",
    });
    let answer = world.gateway.authorize(&question).await?;

    answer.get("allow").and_then(Value::as_bool).context("no `allow` in the answer")
}

/// Chunks have a number, the list of their hashes has a letter before it.
fn is_chunk(topic: &str) -> bool {
    let mut levels = topic.rsplit('/');
    let index = levels.next().is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()));

    index && levels.nth(1) == Some("chunk")
}

/// Leaves the signed manifest as it is, and flips a bit in every delta that rides along.
fn with_deltas_flipped(payload: Vec<u8>) -> Vec<u8> {
    let Ok(message) = manifest::split(&payload) else { return payload };
    let flipped =
        |delta: &manifest::Delta<'_>| (delta.from, with_a_bit_flipped(delta.bytes.to_vec()));
    let deltas: Vec<_> = message.deltas.iter().map(flipped).collect();
    let deltas: Vec<_> = deltas.iter().map(|(from, bytes)| (*from, bytes.as_slice())).collect();

    sign::message(message.envelope, &deltas).unwrap_or_default()
}

fn with_a_bit_flipped(mut payload: Vec<u8>) -> Vec<u8> {
    let middle = payload.len() / 2;
    if let Some(byte) = payload.get_mut(middle) {
        *byte ^= 1;
    }

    payload
}
