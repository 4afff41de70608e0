//! Records as the database takes them fastest: rows of a binary COPY.

use std::collections::BTreeSet;

use bytes::{BufMut as _, BytesMut};
use gateward_agent::journal::json::{self, Origin};
use gateward_core::audit::{DecisionId, Head, Outcome, Record, SnapshotName};
use gateward_core::name::Uuid;

use super::super::store::Rows;
use super::month::Month;

/// The columns of a record, in the order of [`Copy::add`].
pub(crate) const COLUMNS: [&str; 31] = [
    "gateway_id",
    "incarnation",
    "seq",
    "created_at",
    "boot_id",
    "time_quality",
    "account_id",
    "authentication_type",
    "authentication_id",
    "authentication",
    "credential_id",
    "action",
    "operation",
    "permission",
    "division_id",
    "resource",
    "method",
    "path",
    "decision",
    "reason",
    "snapshot_version",
    "snapshot_root",
    "stale",
    "source",
    "request_id",
    "decision_id",
    "mono_ms",
    "route_id",
    "count",
    "dropped_before",
    "head",
];

/// Asks the database to take a copy.
pub(super) fn copy_in() -> String {
    format!("COPY record ({}) FROM STDIN BINARY", COLUMNS.join(", "))
}

/// How such a copy begins: no flags, no extension.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// 2000-01-01T00:00:00Z, from which the database counts, in milliseconds since 1970.
const EPOCH_MS: i64 = 946_684_800_000;
/// The end of the year 9999: what a gateway says beyond that is not told apart.
const LAST_MS: i64 = 253_402_300_799_999;

/// Rows of a copy.
#[derive(Debug, Default)]
pub(in crate::collect) struct Copy {
    rows: BytesMut,
    months: BTreeSet<Month>,
}

impl Copy {
    /// Returns the months that the rows are in.
    pub(super) const fn months(&self) -> &BTreeSet<Month> {
        &self.months
    }

    /// Returns the whole copy.
    pub(super) fn message(&self) -> BytesMut {
        let mut message = BytesMut::with_capacity(HEADER.len() + self.rows.len() + 2);
        message.extend_from_slice(HEADER);
        message.extend_from_slice(&self.rows);
        message.put_i16(-1);

        message
    }

    fn field(&mut self, bytes: &[u8]) {
        // No field of a record is longer than a record.
        self.rows.put_i32(i32::try_from(bytes.len()).unwrap_or(-1));
        self.rows.extend_from_slice(bytes);
    }

    fn some(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => self.rows.put_i32(-1),
        }
    }

    /// The database has no text with a zero byte; the batch keeps what was said.
    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) if text.contains('\0') => {
                self.field(text.replace('\0', "\u{2400}").as_bytes());
            }
            text => self.some(text.map(str::as_bytes)),
        }
    }

    /// A number that is larger than the column only where a gateway makes it up.
    fn number(&mut self, number: u64) {
        self.field(&i64::try_from(number).unwrap_or(i64::MAX).to_be_bytes());
    }

    fn uuid(&mut self, id: Option<Uuid>) {
        self.some(id.as_ref().map(|id| &id.0[..]));
    }

    fn who_and_what(&mut self, record: &Record<'_>, is_event: bool) {
        self.text((!is_event).then(|| record.authentication.name()));
        self.uuid(record.principal.map(|who| who.id));
        self.text(record.principal.map(|who| who.name));
        self.text(json::credential(record.credential).as_deref());
        self.text(json::action(record));
        self.text(record.operation.map(|operation| operation.name()));
        self.text(record.permission.map(json::permission).as_deref());
        self.uuid(record.division);
        self.text(json::resource(record).as_deref());
        self.text(record.method.map(|method| method.name()));
        self.text(record.path);
    }
}

/// Adds the row of one record to `out`, for whoever compares it with what the database has.
pub(crate) fn add_row(
    record: &Record<'_>,
    origin: &Origin,
    snapshot: Option<SnapshotName>,
    head: &Head,
    out: &mut Vec<u8>,
) {
    let mut copy = Copy::default();
    copy.add(record, origin, snapshot, head);
    out.extend_from_slice(&copy.rows);
}

impl Rows for Copy {
    fn add(
        &mut self,
        record: &Record<'_>,
        origin: &Origin,
        snapshot: Option<SnapshotName>,
        head: &Head,
    ) {
        let is_event = matches!(record.outcome, Outcome::Event(_));
        let millis = i64::try_from(record.created_at.0).unwrap_or(i64::MAX).min(LAST_MS);
        let (version, root) = json::decided_by(record, snapshot);
        let DecisionId(decision) =
            DecisionId::new(origin.gateway, origin.incarnation, record.boot, record.seq);
        self.months.insert(Month::of(record.created_at.0));
        self.rows.put_i16(31);
        self.field(&origin.gateway.0);
        self.field(&origin.incarnation.0);
        self.number(record.seq);
        self.field(&((millis - EPOCH_MS) * 1_000).to_be_bytes());
        self.number(record.boot.into());
        self.text(Some(record.quality.name()));
        self.uuid(Some(origin.account));
        self.who_and_what(record, is_event);
        self.text(Some(record.outcome.name()));
        self.text(json::reason(record.outcome));
        match version {
            Some(version) => self.number(version),
            None => self.some(None),
        }
        self.some(root.as_ref().map(<[u8; 32]>::as_slice));
        self.some((!is_event).then_some(&[u8::from(record.stale)][..]));
        self.text(json::source(record.source).as_deref());
        self.text(record.request_id);
        self.uuid(Some(decision));
        self.number(record.mono.0);
        self.some(
            record.route.map(|route| i32::from(route).to_be_bytes()).as_ref().map(|b| &b[..]),
        );
        self.number(record.count.into());
        self.number(record.dropped_before.into());
        self.field(&head.0);
    }
}
