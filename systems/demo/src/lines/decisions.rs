//! Who may do what, and under which name it is written down.

use anyhow::Result;
use serde_json::{Value, json};

use crate::collector::text;
use crate::people::{ANA, MES};
use crate::wait::same;
use crate::world::World;

pub(super) async fn published(world: &World) -> Result<String> {
    let done = world.control.publish(world.port()).await?;
    let version = done.version.number;
    let status = world.gateway.shows("/snapshot/version", json!(version)).await?;
    let tokens = status.pointer("/snapshot/tokens").and_then(Value::as_u64).unwrap_or_default();
    same("tokens in the snapshot", 5, tokens)?;
    world.gateway.runs_on(version).await?;

    Ok(format!("version {version}, {} bytes, {tokens} tokens", done.snapshot_bytes))
}

pub(super) async fn api_token(world: &World) -> Result<String> {
    let question = json!({
        "token": *world.people.ana.text,
        "permission": "manage_device",
        "operation": "write",
        "division": "plant-7",
        "resource": "device/123",
    });
    let record = decided(world, &question, true).await?;
    same("authentication_type of the record", "api_token", text(&record, "authentication_type"))?;
    same("authentication of the record", ANA, text(&record, "authentication"))?;
    same("resource of the record", "device/123", text(&record, "resource"))?;

    Ok(text(&record, "authentication").to_owned())
}

pub(super) async fn service_user(world: &World) -> Result<String> {
    let question = json!({
        "token": *world.people.mes.text,
        "method": "PUT",
        "path": "/iot/api/v1/device/123",
        "division": "plant-7",
    });
    let record = decided(world, &question, true).await?;
    same(
        "authentication_type of the record",
        "service_user",
        text(&record, "authentication_type"),
    )?;
    same("authentication of the record", MES, text(&record, "authentication"))?;

    Ok(text(&record, "authentication").to_owned())
}

pub(super) async fn not_given(world: &World) -> Result<String> {
    let question = json!({
        "token": *world.people.mes.text,
        "method": "PUT",
        "path": "/iot/api/v1/certificate/77/renew",
        "division": "plant-7",
    });

    refused(world, &question, "permission_missing").await
}

pub(super) async fn other_division(world: &World) -> Result<String> {
    let ask = |division: &str| {
        json!({
            "token": *world.people.bo.text,
            "permission": "manage_device",
            "operation": "write",
            "division": division,
        })
    };
    decided(world, &ask("plant-7"), true).await?;

    refused(world, &ask("plant-8"), "division_denied").await
}

pub(super) async fn system_user(world: &World) -> Result<String> {
    let ask = |method: &str, path: &str| json!({ "token": *world.people.root.text, "method": method, "path": path });
    decided(world, &ask("PUT", "/iot/api/v1/intermediate-ca/77"), true).await?;

    refused(world, &ask("POST", "/iot/api/v1/intermediate-ca"), "system_user_barred").await
}

/// Asks something that must be refused for `reason`, which only the audit tells.
async fn refused(world: &World, question: &Value, reason: &str) -> Result<String> {
    let record = decided(world, question, false).await?;
    same("reason in the record", reason, text(&record, "reason"))?;

    Ok(text(&record, "reason").to_owned())
}

/// Asks, and returns the record that the collector has kept of it.
async fn decided(world: &World, question: &Value, allow: bool) -> Result<Value> {
    let answer = world.gateway.authorize(question).await?;
    same("allow", allow, answer.get("allow") == Some(&Value::Bool(true)))?;
    let decision = text(&answer, "decision_id");
    same("whether the answer has a decision_id", true, !decision.is_empty())?;
    let record = world.collector.record(decision).await?;
    let expected = if allow { "allow" } else { "deny" };
    same("decision of the record", expected, text(&record, "decision"))?;

    Ok(record)
}
