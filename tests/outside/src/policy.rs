//! The texts of a policy folder.

use gateward_control::compile;
use gateward_control::policy::{Mistakes, Policy, Sources};
use gateward_core::snapshot::unsigned;

use crate::{heap, is_a_message};

/// A text of `n` bytes may cost this much for each, and the same once more.
const EACH: usize = 8 << 10;
const ONCE: usize = 1 << 20;

/// All files of a folder in one text: `policy.toml` first, then what follows a line `%% NAME`.
pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let sources = sources(&text);
    let limit = ONCE + EACH * text.len();
    match heap::within(limit, || Policy::check(&sources)) {
        Ok(policy) => usable(&policy),
        Err(mistakes) => told(&mistakes, &sources),
    }
}

fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    let mut name = "";
    for line in text.split_inclusive('\n') {
        if let Some(next) = line.strip_prefix("%% ") {
            name = next.trim_end();
            continue;
        }
        let part = match name {
            "users" => &mut sources.users,
            "service_users" => &mut sources.service_users,
            "tokens" => &mut sources.tokens,
            "known" => &mut sources.known,
            _ => &mut sources.policy,
        };
        part.push_str(line);
    }

    sources
}

/// What is right can be compiled for every group, and gateways take it.
fn usable(policy: &Policy) {
    for group in policy.groups() {
        let file = compile::compile(policy, &group.id).expect("what is right fits the format");
        let opened = unsigned(&file[..]).expect("a gateway takes what is compiled");
        let view = opened.view();
        assert!(view.account() == policy.account().id);
        assert!(view.principal_count() <= policy.principals().len());
        assert!(view.token_count() <= policy.tokens().len());
        assert_eq!(compile::compile(policy, &group.id).ok(), Some(file.clone()));
    }
}

/// Every mistake has a place that is there, and forges no line of the terminal that shows it.
fn told(mistakes: &Mistakes, sources: &Sources) {
    assert!(!mistakes.list().is_empty());
    for mistake in mistakes.list() {
        let text = match mistake.place.file {
            "users.jsonl" => &sources.users,
            "service_users.jsonl" => &sources.service_users,
            "tokens.jsonl" => &sources.tokens,
            "state/known-ids" => &sources.known,
            _ => &sources.policy,
        };
        assert!(mistake.place.line <= text.split('\n').count(), "{mistake}");
        // What the policy calls something may end in anything that does not forge a line.
        is_a_message(&format!("{mistake}`"));
    }
}
