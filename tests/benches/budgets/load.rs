//! Callers that ask again as soon as they have their answer, each on a connection of its own.

use std::io::{Read as _, Write as _};
use std::iter::{Cycle, Skip};
use std::os::unix::net;
use std::slice::Iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateward_tests::Stopwatch;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::agent::Agent;

/// How an answer begins that was allowed, denied, or constant.
pub(crate) const FOUND: &str = "HTTP/1.1 200 ";
/// How an answer begins where nothing was looked for.
pub(crate) const NOT_FOUND: &str = "HTTP/1.1 404 ";
/// No answer is longer, not that to a whole batch.
const LONGEST: usize = 32 * 1024;
/// How long one run lasts.
const SLICE: Duration = Duration::from_millis(500);

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) requests: u64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Run {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Microseconds of the agent's CPU a request.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.requests as f64
    }
}

/// Keeps `connections` busy with `requests` in turn; every answer must begin with `expected`.
///
/// All callers share one thread, and are woken by nothing but an answer, so that they cost little beside what
/// they measure.
pub(crate) fn run(
    agent: &Agent,
    requests: &Arc<[Vec<u8>]>,
    expected: &'static str,
    connections: usize,
) -> Run {
    let epoll = epoll::create(CreateFlags::CLOEXEC).expect("the kernel has it");
    let mut callers: Vec<_> =
        (0..connections).map(|at| Caller::new(agent, requests, at * 31)).collect();
    for (at, caller) in (0_u64..).zip(&callers) {
        let data = EventData::new_u64(at);
        epoll::add(&epoll, &caller.stream, data, EventFlags::IN).expect("it is a socket");
    }
    let (watch, cpu) = (Stopwatch::start(), agent.cpu());
    callers.iter_mut().for_each(Caller::ask);
    let (mut requests, mut waiting) = (0, connections);
    let mut events = Vec::with_capacity(connections);
    while waiting > 0 {
        epoll::wait(&epoll, spare_capacity(&mut events), None).expect("nobody interrupts");
        for event in events.drain(..) {
            let at = usize::try_from(event.data.u64()).expect("it is an index");
            let caller = callers.get_mut(at).expect("it was added");
            if !caller.has_answer(expected) {
                continue;
            }
            requests += 1;
            if watch.elapsed() < SLICE { caller.ask() } else { waiting -= 1 }
        }
    }

    Run { requests, seconds: watch.elapsed().as_secs_f64(), cpu_seconds: agent.cpu() - cpu }
}

/// One connection, and what has come of an answer.
struct Caller<'r> {
    stream: net::UnixStream,
    requests: Skip<Cycle<Iter<'r, Vec<u8>>>>,
    buffer: Vec<u8>,
    len: usize,
}

impl<'r> Caller<'r> {
    fn new(agent: &Agent, requests: &'r [Vec<u8>], from: usize) -> Self {
        let stream = agent.connect().expect("the agent should take a connection");

        Self {
            stream,
            requests: requests.iter().cycle().skip(from),
            buffer: vec![0; LONGEST],
            len: 0,
        }
    }

    fn ask(&mut self) {
        let request = self.requests.next().expect("they never end");
        self.len = 0;
        self.stream.write_all(request).expect("the agent should read");
    }

    /// Reads what is there, and returns whether that was the rest.
    fn has_answer(&mut self, expected: &str) -> bool {
        let rest = self.buffer.get_mut(self.len..).unwrap_or_default();
        let read = self.stream.read(rest).expect("the agent should answer");
        assert!(read > 0, "the agent should not hang up");
        self.len += read;
        let answer = self.buffer.get(..self.len).unwrap_or_default();
        let is_whole = whole(answer);
        let begins = !is_whole || answer.starts_with(expected.as_bytes());
        assert!(begins, "{}", String::from_utf8_lossy(answer));

        is_whole
    }
}

/// Asks `rate` times a second over that many connections until told to stop; what is late is caught up
/// with, as far as answers come.
pub(crate) fn paced(
    agent: &Agent,
    requests: &Arc<[Vec<u8>]>,
    connections: u32,
    rate: f64,
    stop: &Arc<AtomicBool>,
) -> Run {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (watch, cpu) = (Stopwatch::start(), agent.cpu());
    let step = Duration::from_secs(1).mul_f64(f64::from(connections) / rate);
    let answered = runtime.block_on(async {
        let mut callers = JoinSet::new();
        for at in 0..connections {
            let (requests, stop) = (Arc::clone(requests), Arc::clone(stop));
            callers.spawn(keep_pace(open(agent), requests, at as usize * 31, step, stop));
        }
        callers.join_all().await.into_iter().sum()
    });

    Run {
        requests: answered,
        seconds: watch.elapsed().as_secs_f64(),
        cpu_seconds: agent.cpu() - cpu,
    }
}

async fn keep_pace(
    mut stream: UnixStream,
    requests: Arc<[Vec<u8>]>,
    from: usize,
    step: Duration,
    stop: Arc<AtomicBool>,
) -> u64 {
    let mut buffer = vec![0; LONGEST];
    let mut ticks = interval(step);
    let mut answered = 0;
    for request in requests.iter().cycle().skip(from) {
        ticks.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        exchange(&mut stream, request, FOUND, &mut buffer).await;
        answered += 1;
    }

    answered
}

/// A connection for a runtime that does I/O.
fn open(agent: &Agent) -> UnixStream {
    let stream = agent.connect().expect("the agent should take a connection");
    stream.set_nonblocking(true).expect("a socket has that setting");

    UnixStream::from_std(stream).expect("the runtime does I/O")
}

async fn exchange(stream: &mut UnixStream, request: &[u8], expected: &str, buffer: &mut [u8]) {
    stream.write_all(request).await.expect("the agent should read");
    let mut len = 0;
    while !whole(buffer.get(..len).unwrap_or_default()) {
        let rest = buffer.get_mut(len..).unwrap_or_default();
        let read = stream.read(rest).await.expect("the agent should answer");
        assert!(read > 0, "the agent should not hang up");
        len += read;
    }
    assert!(buffer.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(buffer));
}

/// Whether `answer` has its head and as many bytes after it as the head says.
pub(crate) fn whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = answer.get(..end).and_then(|head| core::str::from_utf8(head).ok());
    let length = head.and_then(|head| {
        let line = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        line.parse::<usize>().ok()
    });

    answer.len() >= end + 4 + length.unwrap_or(0)
}
