//! What is printed: a row of figures for each step, or one JSON document at the end.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::{Error, Result};
use gateward_control::cli::Format;
use serde::Serialize;

use crate::args::Args;
use crate::figures::Figures;
use crate::wait::Missed;

/// Columns of a row's name.
const NAME: usize = 28;

/// The other columns, and in what they are counted.
const COLUMNS: [(&str, &str); 11] = [
    ("gateways", ""),
    ("publish", "ms"),
    ("first", "ms"),
    ("p50", "ms"),
    ("p99", "ms"),
    ("longest", "ms"),
    ("all new", "ms"),
    ("to each", "bytes"),
    ("from", "bytes"),
    ("broker", "CPU ms"),
    ("own", "CPU ms"),
];

/// The figures of one step.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    /// What happened.
    pub(crate) name: String,
    /// To how many gateways.
    pub(crate) gateways: usize,
    /// From when until when each was measured.
    pub(crate) from: &'static str,
    /// What was measured.
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// How long the publish took, to the return of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) published_ms: Option<u64>,
    /// Until the last gateway had the newest version.
    pub(crate) whole_ms: u64,
    /// The most gateways that connected within 100 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most_in_100_ms: Option<usize>,
    /// Bytes from the broker, for each gateway; with TLS, without TCP and IP.
    pub(crate) bytes_to_each: u64,
    /// Bytes to the broker, of each gateway.
    pub(crate) bytes_from_each: u64,
    /// Processor time of the broker.
    pub(crate) broker_cpu_ms: u64,
    /// Processor time of all gateways and the control plane.
    pub(crate) own_cpu_ms: u64,
    /// Whether it must stay within the budget.
    #[serde(skip)]
    pub(crate) budgeted: bool,
}

/// Everything that is printed.
#[derive(Debug, Default, Serialize)]
struct Report {
    gateways: usize,
    groups: usize,
    tokens: usize,
    broker: String,
    processors: usize,
    files: String,
    rows: Vec<Row>,
    kib_of_each: u64,
    broker_kib_of_each: u64,
    agreed: usize,
    rejected: BTreeMap<String, usize>,
    held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Prints.
#[derive(Debug)]
pub(crate) struct Board {
    format: Format,
    report: Report,
}

impl Board {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, report: Report::default() }
    }

    /// Says what the limit of open files is now.
    pub(crate) fn files(&mut self, said: String) -> Result<()> {
        self.report.files = said;

        self.say(&self.report.files)
    }

    /// Says who takes part.
    pub(crate) fn begin(&mut self, args: &Args, broker: &str) -> Result<()> {
        let report = &mut self.report;
        (report.gateways, report.groups) = (args.gateways, args.groups);
        (report.tokens, report.broker) = (args.tokens.max(args.watched()), broker.to_owned());
        report.processors = std::thread::available_parallelism().map_or(1, usize::from);
        let Report { gateways, groups, tokens, processors, .. } = report;
        let text = format!(
            "{gateways} gateways in {groups} {}, {tokens} tokens, {broker}, {processors} processors\n\n\
             {}\n{}",
            if *groups == 1 { "group" } else { "groups" },
            line("", &COLUMNS.map(|(name, _)| name.to_owned())),
            line("", &COLUMNS.map(|(_, unit)| unit.to_owned())),
        );

        self.say(&text)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: Row) -> Result<()> {
        self.say(&row.line())?;
        self.report.rows.push(row);

        Ok(())
    }

    /// Takes note of how much memory the fleet takes.
    pub(crate) fn memory(&mut self, own_kib: u64, broker_kib: u64, gateways: usize) {
        let each = |kib: u64| kib.checked_div(gateways as u64).unwrap_or_default();
        (self.report.kib_of_each, self.report.broker_kib_of_each) =
            (each(own_kib), each(broker_kib));
    }

    /// Says that everybody has the same.
    pub(crate) fn agreed(&mut self, heard: usize, rejected: BTreeMap<String, usize>) -> Result<()> {
        let said = if rejected.is_empty() { "nothing".to_owned() } else { format!("{rejected:?}") };
        (self.report.agreed, self.report.rejected) = (heard, rejected);
        let Report { kib_of_each, broker_kib_of_each, .. } = self.report;

        self.say(&format!(
            "\n{heard} signed statuses say the newest version; gateways refused to believe: {said}\n\
             memory of each gateway: {kib_of_each} KiB here, {broker_kib_of_each} KiB in the broker"
        ))
    }

    /// Fails where a revocation took longer than it may.
    pub(crate) fn within(&self, p99_below_ms: Option<u64>) -> Result<()> {
        let Some(most) = p99_below_ms else { return Ok(()) };
        let late = |row: &&Row| row.budgeted && row.figures.p99_ms >= most;
        match self.report.rows.iter().find(late) {
            Some(Row { name, figures, .. }) => {
                Err(Missed(format!("{name}: p99 is {} ms, {most} ms are allowed", figures.p99_ms))
                    .into())
            }
            None => Ok(()),
        }
    }

    /// Prints how it ended.
    pub(crate) fn end(mut self, error: Option<&Error>) {
        self.report.held = error.is_none();
        self.report.why = error.map(|error| format!("{error:#}"));
        // Where it cannot be read, nobody reads that either.
        if self.format == Format::Json {
            let text = serde_json::to_string(&self.report).unwrap_or_default();
            drop(writeln!(io::stdout().lock(), "{text}"));
        }
        if let Some(why) = &self.report.why {
            drop(writeln!(io::stderr().lock(), "gateward-fleet: {why}"));
        }
    }

    fn say(&self, text: &str) -> Result<()> {
        if self.format == Format::Human {
            writeln!(io::stdout().lock(), "{text}")?;
        }

        Ok(())
    }
}

impl Row {
    fn line(&self) -> String {
        let Figures { first_ms, p50_ms, p99_ms, max_ms } = self.figures;
        let most = self.most_in_100_ms.map(|most| format!("  at most {most} within 100 ms"));
        let numbers = [first_ms, p50_ms, p99_ms, max_ms, self.whole_ms, self.bytes_to_each];
        let more = [self.bytes_from_each, self.broker_cpu_ms, self.own_cpu_ms];
        let published = self.published_ms.map_or(String::new(), |ms| ms.to_string());
        let mut cells = vec![self.gateways.to_string(), published];
        cells.extend(numbers.into_iter().chain(more).map(|number| number.to_string()));

        line(&self.name, &cells) + &most.unwrap_or_default()
    }
}

/// Returns a line of the table.
fn line(name: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>8}")).collect();

    format!("{name:NAME$}{cells}")
}
