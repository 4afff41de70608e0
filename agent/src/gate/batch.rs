//! `POST /v1/authorize/batch`: several questions at once, each with a decision and a record of its own.
//!
//! All are read before any is decided, and all records are handed over before any is waited for: they
//! share a sync, or a few where others have a turn between them. The answers leave together.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use super::answer::{Answer, Native, problem};
use super::authorize::{BadRequest, Body};
use super::body::Whole;
use super::credential::Presented;
use super::judge::{Judge, Question};
use super::listen::Peer;

/// The most questions of one request (INTERFACES section 5).
const MOST: usize = 64;
/// So many are decided before others have a turn.
const AT_ONCE: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    requests: Vec<Body>,
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<Native>,
}

/// Why nothing of a batch is decided.
#[derive(Debug)]
enum BadBatch {
    /// It is not the JSON expected.
    Body(BadRequest),
    /// One question asks nothing that could be decided.
    Question { place: usize, why: BadRequest },
    /// None, or more than [`MOST`].
    Number(usize),
}

impl IntoResponse for BadBatch {
    fn into_response(self) -> Response {
        let (code, title) = match self {
            Self::Body(why) => return why.into_response(),
            Self::Question { place, why } => {
                let (code, title) = why.says();
                (code, format!("`requests[{place}]`: {title}; nothing of this batch was decided"))
            }
            Self::Number(number) => {
                ("bad_batch", format!("`requests` has {number} questions; give 1 to {MOST}"))
            }
        };

        problem(StatusCode::BAD_REQUEST, code, &title)
    }
}

impl Batch {
    fn read(bytes: &[u8]) -> Result<Self, BadBatch> {
        let batch: Self =
            serde_json::from_slice(bytes).map_err(|e| BadBatch::Body(BadRequest::json(&e)))?;
        let number = batch.requests.len();

        (1..=MOST).contains(&number).then_some(batch).ok_or(BadBatch::Number(number))
    }
}

pub(super) async fn authorize(
    State(judge): State<Judge>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Response {
    let batch = match Batch::read(&body) {
        Ok(batch) => batch,
        Err(bad) => return bad.into_response(),
    };
    let presented = |body: &Body| Presented::of(&headers, body.token.as_deref());
    let presented: Vec<_> = batch.requests.iter().map(presented).collect();
    let asked = batch.requests.iter().zip(&presented).enumerate();
    let questions: Result<Vec<_>, _> = asked
        .map(|(place, (body, presented))| {
            let question = body.question(presented, &headers, peer, &judge);
            question.map_err(|why| BadBatch::Question { place, why })
        })
        .collect();

    match questions {
        Ok(questions) => say(answers(&judge, &questions).await),
        Err(bad) => bad.into_response(),
    }
}

/// Decides about all, then waits for all records.
async fn answers(judge: &Judge, questions: &[Question<'_>]) -> Vec<Answer> {
    let begun = each_in_turn(questions, |question| judge.begin(question)).await;
    let mut answers = Vec::with_capacity(begun.len());
    for one in begun {
        answers.push(one.end(judge).await);
    }

    answers
}

/// Begins all, in order, and lets others have the thread now and then: they share it with whoever asks
/// much at once.
async fn each_in_turn<'q, Q, B, F>(questions: &'q [Q], begin: impl Fn(&'q Q) -> F) -> Vec<B>
where
    F: Future<Output = B>,
{
    let mut begun = Vec::with_capacity(questions.len());
    for some in questions.chunks(AT_ONCE) {
        for question in some {
            begun.push(begin(question).await);
        }
        yield_now().await;
    }

    begun
}

/// Where nothing at all can be answered now, the whole batch is a problem as one question is.
fn say(answers: Vec<Answer>) -> Response {
    if answers.iter().all(Answer::is_unavailable)
        && let Some(first) = answers.first()
    {
        return first.clone().into_response();
    }
    let answers = answers.into_iter().map(Native::from).collect();

    Json(Answers { answers }).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn questions(number: usize) -> Vec<u8> {
        let one = r#"{"permission": "manage_device"}"#;
        format!(r#"{{"requests": [{}]}}"#, vec![one; number].join(",")).into_bytes()
    }

    #[test]
    fn a_batch_has_one_to_sixty_four_questions() {
        for number in [1, MOST] {
            assert_eq!(Batch::read(&questions(number)).unwrap().requests.len(), number);
        }
        for number in [0, MOST + 1] {
            assert!(
                matches!(Batch::read(&questions(number)), Err(BadBatch::Number(n)) if n == number)
            );
        }
    }

    #[tokio::test]
    async fn others_have_their_turn_while_a_batch_is_decided_and_its_answers_keep_their_order() {
        let (taken, turns) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, had) = (Arc::clone(&taken), Arc::clone(&turns));
        let other = tokio::spawn(async move {
            while seen.load(Ordering::Relaxed) < MOST {
                had.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let questions: Vec<_> = (0..MOST).collect();
        let begun = each_in_turn(&questions, |question| {
            taken.fetch_add(1, Ordering::Relaxed);
            std::future::ready(*question)
        });

        assert_eq!(begun.await, questions);
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= MOST / AT_ONCE - 1, "{turns}");
        other.await.unwrap();
    }

    #[test]
    fn a_misspelt_field_is_refused_as_it_is_alone() {
        let misspelt = br#"{"requests": [{"permission": "manage_device", "divison": "plant-7"}]}"#;

        assert!(matches!(Batch::read(misspelt), Err(BadBatch::Body(_))));
        assert!(matches!(Batch::read(b"[]"), Err(BadBatch::Body(_))));
    }
}
