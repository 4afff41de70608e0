//! The lines that are printed: a figure, its budget, and whether it is kept.

use std::process::ExitCode;

/// How far a time may miss its budget before a shared machine is no excuse.
const FAR: f64 = 2.0;

/// Prints each line as soon as it is known, and remembers whether one must not be.
#[derive(Default)]
pub struct Table {
    broken: usize,
}

impl Table {
    pub fn begin() -> Self {
        println!("{:<50} {:>14} {:>13}  verdict", "figure", "measured", "budget");
        Self::default()
    }

    /// A size or a count: what misses its budget fails the run.
    pub fn exact(&mut self, what: &str, value: f64, unit: &str, budget: f64) {
        self.line(what, value, unit, budget, 1.0);
    }

    /// A time or a ratio of times: what is far off its budget fails the run.
    pub fn timed(&mut self, what: &str, value: f64, unit: &str, budget: f64) {
        self.line(what, value, unit, budget, FAR);
    }

    /// A figure that has no budget.
    pub fn show(&self, what: &str, value: f64, unit: &str) {
        println!("{what:<50} {:>14}", figure(value, unit));
    }

    fn line(&mut self, what: &str, value: f64, unit: &str, budget: f64, slack: f64) {
        let verdict = match value {
            _ if value <= budget => "kept",
            _ if value <= budget * slack => "MISSED",
            _ => "BROKEN",
        };
        self.broken += usize::from(verdict == "BROKEN");
        let (value, budget) = (figure(value, unit), format!("<= {budget}"));
        println!("{what:<50} {value:>14} {budget:>13}  {verdict}");
    }

    /// Returns success unless a line said BROKEN.
    pub fn end(self) -> ExitCode {
        println!("MISSED: over budget; BROKEN: over budget where that fails the run");
        if self.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn figure(value: f64, unit: &str) -> String {
    let digits = if value >= 100.0 || unit.is_empty() && value == 0.0 { 0 } else { 2 };

    format!("{value:.digits$} {unit}").trim_end().to_owned()
}
