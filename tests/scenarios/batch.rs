//! Many questions in one request: each is decided and written down as if it had been asked alone.

use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Secret};
use gateward_tests::Answer;
use serde_json::{Value, json};

use crate::stage::{Stage, WIDER};

fn ask(stage: &Stage, headers: &[(&str, &str)], questions: &[Value]) -> Answer {
    let body = json!({ "requests": questions }).to_string();

    stage
        .gateway
        .try_send("POST", "/v1/authorize/batch", headers, body.as_bytes())
        .expect("the agent should answer")
}

/// An answer without what is each one's own.
fn without_its_number(answer: &Value) -> Value {
    let mut answer = answer.clone();
    let fields = answer.as_object_mut().expect("an answer is an object");
    assert!(fields.remove("decision_id").is_some(), "{fields:?}");
    // It may have become a second older.
    fields.remove("snapshot");

    answer
}

/// The records about these resources, oldest first.
fn written(stage: &Stage, of: &str) -> Vec<Value> {
    let tail = stage.gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]);
    let records = tail.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());

    records
        .filter(|record| record["resource"].as_str().is_some_and(|r| r.starts_with(of)))
        .collect()
}

#[test]
fn n7_each_question_of_a_batch_has_the_answer_and_the_record_that_it_has_alone() {
    let stage = Stage::new();
    let unknown = token::write(TokenKind::Api, 77, &Secret([7; 32])).to_vec();
    let unknown = String::from_utf8(unknown).expect("a token is ASCII");
    let questions = [
        json!({ "token": stage.ana, "permission": "manage_device", "resource": "b/0" }),
        json!({ "token": stage.ana, "permission": WIDER, "resource": "b/1" }),
        json!({ "token": unknown, "permission": "manage_device", "resource": "b/2" }),
        json!({ "permission": "manage_device", "resource": "b/3" }),
        json!({ "token": stage.ana, "method": "GET", "path": "/iot/api/v1/device", "resource": "b/4" }),
    ];

    let together = ask(&stage, &[], &questions);

    assert_eq!(together.status, 200);
    let answers = together.json()["answers"].as_array().expect("a list").clone();
    let allowed: Vec<_> = answers.iter().map(|answer| answer["allow"] == true).collect();
    assert_eq!(allowed, [true, false, false, false, true]);
    for (question, answer) in questions.iter().zip(&answers) {
        let alone = stage.gateway.authorize(question).json();
        assert_eq!(without_its_number(answer), without_its_number(&alone), "{question}");
    }
    for (place, answer) in answers.iter().enumerate() {
        let records = written(&stage, &format!("b/{place}"));
        assert_eq!(records[0]["decision_id"], answer["decision_id"]);
        assert_eq!(records[0]["authentication"] == "ana.ruiz", [0, 1, 4].contains(&place));
    }
}

#[test]
fn a_batch_with_one_question_that_asks_nothing_is_not_decided_at_all() {
    let stage = Stage::new();
    let good = json!({ "token": stage.ana, "permission": "manage_device", "resource": "b/0" });
    let bad = json!({ "token": stage.ana, "resource": "b/1" });

    let answer = ask(&stage, &[], &[good.clone(), bad]);

    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("bad_request")));
    let title = answer.json()["title"].as_str().expect("a text").to_owned();
    assert!(title.starts_with("`requests[1]`: give `permission`"), "{title}");
    assert!(written(&stage, "b/").is_empty());
    let most = ask(&stage, &[], &vec![good.clone(); 64]);
    assert_eq!(most.json()["answers"].as_array().map(Vec::len), Some(64));
    let more = ask(&stage, &[], &vec![good; 65]);
    assert_eq!((more.status, &more.json()["code"]), (400, &json!("bad_batch")));
    assert_eq!(written(&stage, "b/").len(), 64, "an allow is never counted with another");
}

#[test]
fn f3_a_header_beside_a_token_of_a_batch_is_a_conflict_and_alone_it_is_for_all() {
    let stage = Stage::new();
    let with = json!({ "token": stage.ana, "permission": "manage_device" });
    let without = json!({ "permission": "manage_device" });

    let answer = ask(&stage, &[("x-api-key", &stage.ana)], &[with, without.clone(), without]);

    let answers = answer.json()["answers"].clone();
    let allowed: Vec<_> = (0..3).map(|place| answers[place]["allow"] == true).collect();
    assert_eq!(allowed, [false, true, true]);
}

#[test]
fn a_gateway_that_can_decide_nothing_says_so_of_the_whole_batch() {
    let mut stage = Stage::new();
    assert!(stage.gateway.stop().success());
    stage.deck.broker.stop();
    std::fs::remove_dir_all(stage.gateway.state().join("snapshot")).expect("it has one");
    stage.gateway.start();
    let question = json!({ "token": stage.ana, "permission": "manage_device" });

    let answer = ask(&stage, &[], &[question.clone(), question]);

    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("no_snapshot")));
    assert!(answer.header("retry-after").is_some());
}
