//! What is asked of the database, prepared once for each connection.

use tokio_postgres::{Client, Statement};

use super::DatabaseFailed;
use super::rows;

macro_rules! statements {
    ($($(#[$about:meta])* $name:ident: $sql:expr;)*) => {
        /// Every statement, by its name.
        #[derive(Debug)]
        pub(super) struct Statements {
            $($(#[$about])* pub(super) $name: Statement,)*
        }

        impl Statements {
            pub(super) async fn prepare(client: &Client) -> Result<Self, DatabaseFailed> {
                Ok(Self { $($name: client.prepare($sql).await?,)* })
            }
        }
    };
}

statements! {
    batch: "INSERT INTO batch (gateway_id, incarnation, first, last, received_at, message)
            VALUES ($1::text::uuid, $2, $3, $4, to_timestamp($5::bigint::float8), $6)";
    /// Before anything is held of a gateway.
    begin: "INSERT INTO position (gateway_id, incarnation, account_id, gateway, through, head)
            VALUES ($1::text::uuid, $2, $3::text::uuid, $4, 0, $5) ON CONFLICT DO NOTHING";
    copy: &rows::copy_in();
    event: "INSERT INTO event (at, account_id, gateway, event, detail, more)
            VALUES (to_timestamp($1::bigint::float8), $2::text::uuid, $3, $4, $5, $6::text::jsonb)";
    /// Who is no longer in the policy.
    forget: "UPDATE principal SET deleted = true
             WHERE account_id = $1::text::uuid AND NOT deleted AND NOT (id = ANY ($2::text[]::uuid[]))";
    furthest: "SELECT gateway, furthest FROM status
               WHERE account_id = $1::text::uuid AND gateway = ANY ($2)";
    head_at: "SELECT head FROM record
              WHERE gateway_id = $1::text::uuid AND incarnation = $2 AND seq = $3";
    last_event: "SELECT event, detail FROM event
                 WHERE account_id = $1::text::uuid AND gateway = $2 ORDER BY id DESC LIMIT 1";
    lock: "SELECT through, head FROM position
           WHERE gateway_id = $1::text::uuid AND incarnation = $2 FOR UPDATE";
    lock_events: "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    move_on: "UPDATE position SET through = $3, head = $4, snapshot_epoch = $5,
                  snapshot_number = $6, snapshot_root = $7, at = now()
              WHERE gateway_id = $1::text::uuid AND incarnation = $2";
    name: "INSERT INTO principal (account_id, id, name, deleted)
           SELECT $1::text::uuid, id::uuid, name, deleted
           FROM unnest($2::text[], $3::text[], $4::boolean[]) AS new (id, name, deleted)
           ON CONFLICT (account_id, id) DO UPDATE
               SET name = excluded.name, deleted = excluded.deleted
               WHERE (principal.name, principal.deleted) <> (excluded.name, excluded.deleted)";
    own_up: "INSERT INTO hole (gateway_id, incarnation, first, last, message)
             VALUES ($1::text::uuid, $2, $3, $4, $5)
             ON CONFLICT (gateway_id, incarnation, first, last) DO UPDATE
                 SET message = excluded.message WHERE hole.message <> excluded.message";
    /// The next after `($5, $6)`; without its batch where that is longer than `$4`.
    owned: "SELECT last, first, CASE WHEN octet_length(message) <= $4 THEN message END FROM hole
            WHERE gateway_id = $1::text::uuid AND incarnation = $2 AND first <= $3 AND last >= $3
                AND (last, first) < ($5, $6)
            ORDER BY last DESC, first DESC LIMIT 1";
    position: "SELECT through, head, snapshot_epoch, snapshot_number, snapshot_root FROM position
               WHERE gateway_id = $1::text::uuid AND incarnation = $2";
    /// Not where another collector has gone on from what was compared.
    status: "INSERT INTO status (account_id, gateway, at, said, furthest)
             VALUES ($1::text::uuid, $2, to_timestamp($3::bigint::float8), $4, $4)
             ON CONFLICT (account_id, gateway) DO UPDATE
                 SET at = excluded.at, said = excluded.said,
                     furthest = CASE WHEN $5::boolean THEN excluded.furthest ELSE status.furthest END
                 WHERE status.furthest = $6::bytea";
    /// The batch that led there; none is longer than `$4`.
    proof: "SELECT message FROM batch
            WHERE gateway_id = $1::text::uuid AND incarnation = $2 AND last = $3
                AND octet_length(message) <= $4
            ORDER BY received_at DESC LIMIT 1";
    wrote: "SELECT extract(epoch FROM max(at))::bigint FROM position
            WHERE gateway_id = $1::text::uuid";
}
