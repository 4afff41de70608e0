//! What is printed: a tick or a cross, a sentence, a figure.
//!
//! The lines are the data of this program and go to standard output, coloured only on a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Result;

use crate::wait::Missed;
use crate::world::World;

/// Columns of the sentence.
const SENTENCE: usize = 72;

/// Prints the lines and counts them.
#[derive(Debug)]
pub(crate) struct Board {
    colour: bool,
    held: u32,
}

impl Board {
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());

        Self { colour: wanted && io::stdout().is_terminal(), held: 0 }
    }

    /// Prints whether the assertion that `sentence` stands for has held.
    ///
    /// # Errors
    ///
    /// Returns why it has not, once that is printed.
    pub(crate) fn line(&mut self, sentence: &str, outcome: Result<String>) -> Result<()> {
        let mut out = io::stdout().lock();
        match outcome {
            Ok(figure) => {
                self.held += 1;
                writeln!(out, "{}", held(sentence, &figure, self.colour))?;
                Ok(())
            }
            Err(error) => {
                writeln!(out, "{}", missed(sentence, &error, self.colour))?;
                Err(error)
            }
        }
    }

    /// Prints a line that asserts nothing.
    pub(crate) fn say(&self, text: &str) -> Result<()> {
        Ok(writeln!(io::stdout().lock(), "{text}")?)
    }

    /// Prints how many assertions have held, in how long.
    pub(crate) fn sum(&self, ms: u64) -> Result<()> {
        let (s, tenths) = (ms / 1000, ms % 1000 / 100);

        self.say(&format!("\n{} of {} hold, in {s}.{tenths} s", self.held, self.held))
    }

    /// Prints how to ask what goes on running.
    pub(crate) fn keep(&self, world: &World) -> Result<()> {
        let (api, admin) = (world.gateway.api(), world.gateway.admin());
        let (api, admin) = (api.display(), admin.display());
        let token = &*world.people.ana.text;
        let body = r#"{"permission": "manage_device", "division": "plant-7"}"#;

        self.say(&format!(
            "\nIt goes on running until ctrl-c. From another terminal:\n\n\
             curl --unix-socket {api} 'http://localhost/readyz?verbose'\n\
             curl --unix-socket {api} http://localhost/v1/authorize \\\n  \
             -H 'x-api-key: {token}' \\\n  -d '{body}'\n\
             curl --unix-socket {admin} http://localhost/v1/status\n\
             tail -f {}\n",
            world.collector.lines_path().display()
        ))
    }

    /// Prints why there is nothing to show.
    pub(crate) fn give_up(&self, error: &anyhow::Error) {
        // Where it cannot be read, nobody reads that either.
        drop(writeln!(io::stderr().lock(), "gateward-demo: {error:#}"));
    }
}

fn held(sentence: &str, figure: &str, colour: bool) -> String {
    let (on, off) = if colour { ("\x1b[32m", "\x1b[0m") } else { ("", "") };

    format!("{on}✓{off} {sentence:SENTENCE$} {figure}")
}

fn missed(sentence: &str, error: &anyhow::Error, colour: bool) -> String {
    let (on, off) = if colour { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
    match error.downcast_ref::<Missed>() {
        Some(Missed { expected, came }) => {
            format!("{on}✗{off} {sentence}\n    expected  {expected}\n    came      {came}")
        }
        None => format!("{on}✗{off} {sentence}\n    {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_fails_says_which_and_what_was_expected_and_what_came() {
        let why = Missed { expected: "allow: false".to_owned(), came: "true".to_owned() };

        assert_eq!(
            missed("token disabled: refused", &why.into(), false),
            "✗ token disabled: refused\n    expected  allow: false\n    came      true"
        );
        let other = anyhow::anyhow!("cause").context("no agent");
        assert_eq!(missed("x", &other, true), "\x1b[31m✗\x1b[0m x\n    no agent: cause");
    }

    #[test]
    fn a_line_that_holds_is_counted_and_one_that_fails_is_an_error() {
        let mut board = Board { colour: false, held: 0 };

        assert!(board.line("holds", Ok("1".to_owned())).is_ok());
        assert!(board.line("fails", Err(anyhow::anyhow!("no"))).is_err());
        assert_eq!(board.held, 1);
        assert!(held("holds", "1", false).ends_with(" 1"));
    }
}
