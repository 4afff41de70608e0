//! That a position is true: nothing is taken behind it, and no receipt signed for it, on the word of the
//! row alone.
//!
//! Who can alter that row could have a gateway forget what nobody holds: the gateway has come to that
//! record and head, and sends what the row says is held. So the batch that led there must be in the
//! store, with its records and the gateway's checkpoint. What this process committed it knows.

use std::collections::BTreeMap;

use gateward_agent::upload::batch::Batch;
use gateward_core::audit::Head;
use gateward_core::name::Uuid;
use gateward_core::trust::Incarnation;

use super::super::MAX_BATCH;
use super::super::held::checkpoint_fits;
use super::{DatabaseFailed, Ready, Shared, signed};
use crate::enroll::Enrolled;

/// The last position of each gateway that this process committed, or saw the proof of.
#[derive(Debug, Default)]
pub(super) struct Proven(BTreeMap<String, (Incarnation, u64, Head)>);

impl Proven {
    pub(super) fn take(&mut self, enrolled: &Enrolled, through: u64, head: Head) {
        self.0.insert(enrolled.gateway.clone(), (enrolled.incarnation, through, head));
    }

    fn has(&self, enrolled: &Enrolled, through: u64, head: Head) -> bool {
        self.0.get(&enrolled.gateway) == Some(&(enrolled.incarnation, through, head))
    }
}

impl Shared {
    /// Sees to it that a position is proven; before its key is reckoned, which for a made-up number would
    /// take years.
    pub(super) async fn prove(
        &mut self,
        enrolled: &Enrolled,
        through: u64,
        head: Head,
    ) -> Result<(), DatabaseFailed> {
        if through == 0 || self.proven.has(enrolled, through, head) {
            return Ok(());
        }
        let (id, account) = (self.id(enrolled), self.account);
        let Ready { client, statements, .. } = self.ready()?;
        let (incarnation, last) = (enrolled.incarnation.0.as_slice(), signed(through));
        let most = i32::try_from(MAX_BATCH).unwrap_or(i32::MAX);
        let row = client.query_opt(&statements.proof, &[&id, &incarnation, &last, &most]).await?;
        let message = row.map(|row| row.try_get::<_, Vec<u8>>(0)).transpose()?;
        if !message.is_some_and(|message| leads_to(&message, through, head, enrolled, account)) {
            return Err(DatabaseFailed::Altered);
        }
        self.proven.take(enrolled, through, head);

        Ok(())
    }
}

/// Returns whether a batch ends with the record and head, and the gateway has signed that it does.
pub(in super::super) fn leads_to(
    message: &[u8],
    through: u64,
    head: Head,
    enrolled: &Enrolled,
    account: Uuid,
) -> bool {
    let Ok(batch) = Batch::decode(message) else { return false };
    // A checkpoint alone would be no proof of the records.
    let is_whole = batch.walk(|_| {}).is_ok_and(|reached| reached == head);

    is_whole && batch.last() == through && checkpoint_fits(&batch, head, enrolled, account)
}
