//! One caller on one connection, which reads its clock before and after.

use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use gateward_tests::{Gateway, Stopwatch};

use crate::setting::{Class, NUMBER, World};

/// How long the caller holds back what it delays, within the time that it measures.
pub(crate) const DELAY: Duration = Duration::from_micros(20);

/// A connection, and what is asked on it.
#[derive(Debug)]
pub(crate) struct Caller {
    stream: UnixStream,
    requests: [Vec<u8>; Class::ALL.len()],
    buffer: Vec<u8>,
    answer: Vec<u8>,
    asked: u64,
    /// Where the number of the device stands in a request, where each asks about another.
    number: Option<usize>,
}

impl Caller {
    pub(crate) fn connect(agent: &Gateway, world: &World, asks_something_else: bool) -> Self {
        let stream = UnixStream::connect(agent.api()).expect("the agent should take a connection");
        let requests = Class::ALL.map(|class| world.request(class));
        let place = |request: &Vec<u8>| {
            request.windows(NUMBER.len()).position(|window| window == NUMBER.as_bytes())
        };
        let number = place(&requests[0]).filter(|_| asks_something_else);
        let (buffer, answer) = (vec![0; 4096], Vec::new());
        let mut caller = Self { stream, requests, buffer, answer, asked: 0, number };
        caller.answer = caller.exchange(Class::Unknown);
        assert!(caller.answer.starts_with(b"HTTP/1.1 401 "), "an unknown token is no credential");

        caller
    }

    /// Returns how often it has asked.
    pub(crate) const fn asked(&self) -> u64 {
        self.asked
    }

    /// Asks, and returns how long the answer took.
    pub(crate) fn ask(&mut self, class: Class) -> Duration {
        self.asked += 1;
        if let Some(at) = self.number {
            let digits = format!("{:0width$}", self.asked, width = NUMBER.len());
            self.requests[class as usize][at..][..digits.len()].copy_from_slice(digits.as_bytes());
        }
        let watch = Stopwatch::start();
        if class == Class::Delayed {
            while watch.elapsed() < DELAY {
                core::hint::spin_loop();
            }
        }
        self.stream.write_all(&self.requests[class as usize]).expect("the agent should read");
        let len = self.stream.read(&mut self.buffer).expect("the agent should answer");
        let took = watch.elapsed();
        // The date may have moved on; everything else is the same bytes.
        let answer = &self.buffer[..len];
        let same = answer.len() == self.answer.len() && answer.starts_with(b"HTTP/1.1 401 ");
        assert!(same, "{}: {}", class.name(), String::from_utf8_lossy(answer));

        took
    }

    fn exchange(&mut self, class: Class) -> Vec<u8> {
        self.stream.write_all(&self.requests[class as usize]).expect("the agent should read");
        let len = self.stream.read(&mut self.buffer).expect("the agent should answer");

        self.buffer[..len].to_vec()
    }
}
