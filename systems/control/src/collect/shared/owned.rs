//! What a gateway has owned up to, for whichever collector gets what follows: with the batch in which it
//! did so, since a row alone would have records passed over on the word of whoever may write it.

use tracing::warn;

use super::super::MAX_BATCH;
use super::super::hole::{Hole, proves};
use super::{DatabaseFailed, Ready, Shared, number, signed};
use crate::enroll::Enrolled;

impl Shared {
    /// Keeps a hole with the batch that owns up to it, which was verified. It takes the place of a row that
    /// proves nothing.
    pub(super) async fn keep_owned(
        &mut self,
        enrolled: &Enrolled,
        hole: Hole,
        message: &[u8],
    ) -> Result<(), DatabaseFailed> {
        let id = self.id(enrolled);
        let Ready { client, statements, .. } = self.ready()?;
        let incarnation = enrolled.incarnation.0.as_slice();
        let (first, last) = (signed(hole.first), signed(hole.last));
        client.execute(&statements.own_up, &[&id, &incarnation, &first, &last, &message]).await?;

        Ok(())
    }

    /// Returns the longest hole with record `from` in it that the gateway has owned up to. One row after
    /// the other: one that proves nothing hides none that does.
    pub(super) async fn find_owned(
        &mut self,
        enrolled: &Enrolled,
        from: u64,
    ) -> Result<Option<Hole>, DatabaseFailed> {
        let (id, account) = (self.id(enrolled), self.account);
        let Ready { client, statements, .. } = self.ready()?;
        let (incarnation, from) = (enrolled.incarnation.0.as_slice(), signed(from));
        let most = i32::try_from(MAX_BATCH).unwrap_or(i32::MAX);
        let (mut before, mut unproved) = ((i64::MAX, i64::MAX), 0_u64);
        let found = loop {
            let (last, first) = before;
            let row = client
                .query_opt(&statements.owned, &[&id, &incarnation, &from, &most, &last, &first])
                .await?;
            let Some(row) = row else { break None };
            before = (row.try_get(0)?, row.try_get(1)?);
            let hole = Hole { first: number(before.1), last: number(before.0) };
            let message: Option<&[u8]> = row.try_get(2)?;
            if message.is_some_and(|message| proves(message, hole, enrolled, account)) {
                break Some(hole);
            }
            unproved += 1;
        };
        if unproved > 0 {
            warn!(
                gateway = enrolled.gateway,
                unproved,
                "rows of the table `gateward.hole` are not what the gateway owned up to: somebody else wrote \
                 them, and they count for nothing"
            );
        }

        Ok(found)
    }
}
