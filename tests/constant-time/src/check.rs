//! One question put to one table: what both proofs run.

use gateward_core::decide::{Ask, Weighed, weigh};
use gateward_core::division::DivisionRules;
use gateward_core::snapshot::View;
use gateward_core::time::UnixSeconds;
use gateward_core::token::{Context, TEXT_LEN, Token};

use crate::class::Class;
use crate::places::Places;
use crate::plant::Plant;
use crate::revoked::Revoked;

/// The time of every check.
pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// A token, and everything that it is held against.
#[derive(Clone, Debug)]
#[repr(align(128))]
pub struct Case<'t> {
    /// The text of the token.
    pub text: [u8; TEXT_LEN],
    /// What must come of it.
    pub class: Class,
    pub(crate) view: View<'t>,
    pub(crate) ask: Ask,
    pub(crate) row: usize,
    pub(crate) id: u64,
    pub(crate) file: &'t [u8],
    pub(crate) places: &'t Places,
    pub(crate) context: &'t Context,
    pub(crate) revoked: &'t Revoked,
}

impl<'t> Case<'t> {
    /// Returns the snapshot as this class sees it.
    #[must_use]
    pub const fn view(&self) -> &View<'t> {
        &self.view
    }

    /// Returns what is asked; the same in every class.
    #[must_use]
    pub const fn ask(&self) -> &Ask {
        &self.ask
    }

    /// Reads the text and weighs every check: the code that is shipped, and before it what `plant`
    /// adds, which may end it early.
    ///
    /// # Panics
    ///
    /// If the text has not the frame of a token.
    #[must_use]
    pub fn weigh(&self, plant: Option<Plant>) -> Option<Weighed<'_, 't>> {
        let token = Token::read(&self.text).expect("the frame is right in every class");
        if plant.is_some_and(|plant| plant.stops(self, &token)) {
            return None;
        }

        Some(weigh(&self.view, &self.ask, &token, NOW, DivisionRules::default()))
    }
}
