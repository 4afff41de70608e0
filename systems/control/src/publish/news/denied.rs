//! What may act in one snapshot, and what of it may no longer in the next.

use std::collections::BTreeSet;

use gateward_core::snapshot::unsigned;

use super::NotPublished;

/// The tokens and principals of a snapshot that are not disabled.
///
/// A token counts where its owner does: an owner who is disabled takes all tokens along.
#[derive(Debug, Default)]
pub(super) struct Usable {
    tokens: BTreeSet<u64>,
    principals: BTreeSet<u32>,
    /// Owners of the tokens, by the order of their ids.
    owners: Vec<(u64, u32)>,
}

impl Usable {
    pub(super) fn of(file: &[u8]) -> Result<Self, NotPublished> {
        let opened = unsigned(file).map_err(|refused| super::unusable(&refused))?;
        let view = opened.view();
        let enabled = view.principals().filter(|principal| !principal.is_disabled());
        let principals: BTreeSet<u32> = enabled.map(|principal| principal.key()).collect();
        let owners: Vec<(u64, u32)> = view
            .tokens()
            .filter(|token| !token.disabled)
            .filter_map(|token| Some((token.id, view.principal(token.owner)?.key())))
            .filter(|(_, owner)| principals.contains(owner))
            .collect();
        let tokens = owners.iter().map(|(id, _)| *id).collect();

        Ok(Self { tokens, principals, owners })
    }

    /// Takes in what may act in another snapshot too.
    pub(super) fn also(&mut self, other: Self) {
        self.tokens.extend(other.tokens);
        self.principals.extend(other.principals);
        self.owners.extend(other.owners);
    }

    /// Returns what `after` no longer has: tokens, but for those whose owner is gone too, and
    /// principals.
    pub(super) fn lost_in(&self, after: &Self) -> (BTreeSet<u64>, BTreeSet<u32>) {
        let principals: BTreeSet<u32> =
            self.principals.difference(&after.principals).copied().collect();
        let lost =
            |(id, owner): &&(u64, u32)| !after.tokens.contains(id) && !principals.contains(owner);
        let tokens = self.owners.iter().filter(lost).map(|(id, _)| *id).collect();

        (tokens, principals)
    }

    /// Returns which of these are still denied.
    pub(super) fn denied(
        &self,
        tokens: &BTreeSet<u64>,
        principals: &BTreeSet<u32>,
    ) -> (BTreeSet<u64>, BTreeSet<u32>) {
        (
            tokens.difference(&self.tokens).copied().collect(),
            principals.difference(&self.principals).copied().collect(),
        )
    }
}
