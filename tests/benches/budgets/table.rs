//! The lines that are printed: a figure, its budget, and whether it is kept.

/// Prints each line as soon as it is known.
#[derive(Debug)]
pub(crate) struct Table;

impl Table {
    pub(crate) fn begin() -> Self {
        println!("{:<52} {:>14} {:>16}", "figure", "measured", "budget");
        Self
    }

    pub(crate) fn at_most(&self, what: &str, value: f64, unit: &str, budget: f64) {
        line(what, value, unit, &format!("<= {}", number(budget)), value <= budget);
    }

    pub(crate) fn at_least(&self, what: &str, value: f64, unit: &str, budget: f64) {
        line(what, value, unit, &format!(">= {}", number(budget)), value >= budget);
    }

    pub(crate) fn show(&self, what: &str, value: f64, unit: &str) {
        line(what, value, unit, "", true);
    }
}

fn line(what: &str, value: f64, unit: &str, budget: &str, kept: bool) {
    let missed = if kept { "" } else { "  MISSED" };
    let value = format!("{} {unit}", number(value));
    println!("{}", format!("{what:<52} {:>14} {budget:>16}{missed}", value.trim_end()).trim_end());
}

fn number(value: f64) -> String {
    if value >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
