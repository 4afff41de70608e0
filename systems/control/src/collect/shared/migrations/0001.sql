-- What is held of each gateway. Whoever adds records locks its row, so that each record is there once
-- whatever month it is in, and so that nothing is held behind a gap. No key is ever in here.
CREATE TABLE position (
    gateway_id uuid NOT NULL,
    incarnation bytea NOT NULL,
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    through bigint NOT NULL,
    head bytea NOT NULL,
    snapshot_epoch bigint,
    snapshot_number bigint,
    snapshot_root bytea,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (gateway_id, incarnation)
);

-- A column for each field of a record (INTERFACES section 7); `seq` orders the records of a gateway, not
-- `created_at`, which is by the gateway's clock.
CREATE TABLE record (
    gateway_id uuid NOT NULL,
    incarnation bytea NOT NULL,
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    boot_id bigint NOT NULL,
    time_quality text NOT NULL,
    account_id uuid NOT NULL,
    authentication_type text,
    authentication_id uuid,
    authentication text,
    credential_id text,
    action text,
    operation text,
    permission text,
    division_id uuid,
    resource text,
    method text,
    path text,
    decision text NOT NULL,
    reason text,
    snapshot_version bigint,
    snapshot_root bytea,
    stale boolean,
    source text,
    request_id text,
    decision_id uuid NOT NULL,
    mono_ms bigint NOT NULL,
    route_id integer,
    count bigint NOT NULL,
    dropped_before bigint NOT NULL,
    head bytea NOT NULL,
    PRIMARY KEY (gateway_id, incarnation, seq, created_at)
) PARTITION BY RANGE (created_at);

-- Records whose clock was far off.
CREATE TABLE record_other PARTITION OF record DEFAULT;
CREATE INDEX record_by_whom ON record (authentication_id, created_at)
    WHERE authentication_id IS NOT NULL;
CREATE INDEX record_by_time ON record USING brin (created_at);

-- The evidence: each batch that brought records, as it came, with its tags and its signed checkpoint.
CREATE TABLE batch (
    gateway_id uuid NOT NULL,
    incarnation bytea NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    received_at timestamptz NOT NULL,
    message bytea NOT NULL,
    PRIMARY KEY (gateway_id, incarnation, last, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE batch_other PARTITION OF batch DEFAULT;

-- What a gateway has owned up to having lost, verified: another collector may get what is behind it.
CREATE TABLE hole (
    gateway_id uuid NOT NULL,
    incarnation bytea NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (gateway_id, incarnation, first, last)
);

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    event text NOT NULL,
    detail text NOT NULL,
    more jsonb NOT NULL
);
CREATE INDEX event_by_gateway ON event (account_id, gateway, id);

-- What each gateway said last, signed, and what it said when it was the furthest.
CREATE TABLE status (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    at timestamptz NOT NULL,
    said bytea NOT NULL,
    furthest bytea NOT NULL,
    PRIMARY KEY (account_id, gateway)
);

-- The names of the policy.
CREATE TABLE principal (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    deleted boolean NOT NULL,
    PRIMARY KEY (account_id, id)
);

-- Records with the name as it was and the name as it is.
CREATE VIEW record_named AS
SELECT record.*,
       CASE
           WHEN record.authentication_id IS NULL THEN NULL
           WHEN principal.id IS NULL OR principal.deleted THEN 'deleted user'
           ELSE principal.name
       END AS authentication_now
FROM record
LEFT JOIN principal
       ON principal.account_id = record.account_id AND principal.id = record.authentication_id;
