//! The lines, in the order in which they are shown.

mod decisions;
mod faults;

use anyhow::Result;
use gateward_agent::clock::Clock;
use gateward_control::exit::Exit;
use gateward_core::topic::GroupTopic;

use crate::board::Board;
use crate::world::World;

/// Shows every line up to the first that fails.
///
/// # Errors
///
/// Standard output cannot be written to.
pub(crate) async fn tell(world: &mut World, board: &mut Board) -> Result<Exit> {
    let clock = Clock::real();
    board.say(&format!(
        "one account, one gateway, one collector; mutual TLS at 127.0.0.1:{}\n",
        world.port()
    ))?;
    match show(world, board, &clock).await {
        Ok(()) => {
            board.sum(clock.now().0)?;
            Ok(Exit::Success)
        }
        // It has been printed.
        Err(_) => Ok(Exit::No),
    }
}

async fn show(world: &mut World, board: &mut Board, clock: &Clock) -> Result<()> {
    board.line("signed snapshot published", decisions::published(world).await)?;
    let old = world.retained(GroupTopic::Manifest)?;
    show_decisions(world, board).await?;

    let line = &mut |sentence: &str, outcome| board.line(sentence, outcome);
    line("cable pulled, still answering", faults::cable(world, clock).await)?;
    line("token disabled, refused", faults::disabled(world, clock).await)?;
    line("an older snapshot replayed, refused", faults::replayed(world, old).await)?;
    line("a flipped bit, refused", faults::flipped(world).await)?;
    line("agent restarted with no broker, still answering", faults::restarted(world, clock).await)?;
    line("audit records acknowledged", faults::acknowledged(world).await)
}

async fn show_decisions(world: &World, board: &mut Board) -> Result<()> {
    let line = &mut |sentence: &str, outcome| board.line(sentence, outcome);

    line(
        "API token allowed, and audited under the administrator's username",
        decisions::api_token(world).await,
    )?;
    line(
        "service user allowed, and audited under its friendly name",
        decisions::service_user(world).await,
    )?;
    line("service user refused what it was not given", decisions::not_given(world).await)?;
    line(
        "administrator limited to a division refused in another",
        decisions::other_division(world).await,
    )?;
    line(
        "system user refused a certificate request, though it manages those CAs",
        decisions::system_user(world).await,
    )
}
