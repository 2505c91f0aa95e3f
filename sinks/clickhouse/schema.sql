-- The archive's tables. Statements end with a semicolon at the end of a line; $db is the database
-- and $ttl the TTL clause. Every table is PARTITION BY archive_day, the day of archiving, so that
-- one insert lands in one part (which is what ClickHouse makes atomic) and so that events years old
-- live as long as new ones. The order is that of the positions: blocks arrive sorted, merges only
-- interleave, and a row costs the engine a fifth less than in an order of service and time (at
-- 32 bytes stored instead of 22).
-- A deduplication window of 10,000 inserts remembers the tokens of hours. The TTL is a function of
-- the partition, so parts go as a whole, and a new retention needs no part written again.
-- Rows survive a crash of the server; for power loss too, at about half of the insert rate:
-- ALTER TABLE ... MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1.

-- Every event that could be decoded, with what intake made of it.
CREATE TABLE IF NOT EXISTS $db.events
(
    topic       LowCardinality(String) CODEC(ZSTD(1)),
    partition   Int32 CODEC(ZSTD(1)),
    offset      Int64 CODEC(Delta(8), ZSTD(1)),
    time        DateTime64(3, 'UTC') COMMENT 'when it happened' CODEC(Delta(8), ZSTD(1)),
    received    DateTime64(3, 'UTC') COMMENT 'record timestamp' CODEC(Delta(8), ZSTD(1)),
    scope       LowCardinality(String) CODEC(ZSTD(1)),
    source      LowCardinality(String) CODEC(ZSTD(1)),
    service     LowCardinality(String) CODEC(ZSTD(1)),
    entity      String CODEC(ZSTD(1)),
    `check`     LowCardinality(String) CODEC(ZSTD(1)),
    severity    Enum8('' = 0, 'info' = 1, 'warning' = 2, 'error' = 3, 'critical' = 4),
    status      Enum8('' = 0, 'firing' = 1, 'resolved' = 2),
    verdict     Enum8('' = 0, 'new' = 1, 'changed' = 2, 'update' = 3, 'duplicate' = 4,
                      'redelivered' = 5, 'dropped' = 6, 'over_limit' = 7, 'rejected' = 8),
    fingerprint FixedString(16) CODEC(ZSTD(1)),
    id          String COMMENT 'the producer''s own' CODEC(ZSTD(1)),
    summary     String CODEC(ZSTD(1)),
    url         String CODEC(ZSTD(1)),
    value       String CODEC(ZSTD(1)),
    labels      Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    clamped     Bool COMMENT 'the time was moved into the bounds' CODEC(ZSTD(1)),
    epoch       UInt64 COMMENT 'hash of the intake configuration' CODEC(ZSTD(1)),
    archive_day Date CODEC(ZSTD(1)),
    INDEX by_time time TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree PARTITION BY archive_day ORDER BY (topic, partition, offset) $ttl
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         materialize_ttl_recalculate_only = 1;

-- Every record that could not be decoded, and why.
CREATE TABLE IF NOT EXISTS $db.rejected
(
    topic       LowCardinality(String),
    partition   Int32,
    offset      Int64 CODEC(Delta(8), ZSTD(1)),
    received    DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    reason      LowCardinality(String),
    detail      String CODEC(ZSTD(1)),
    payload     String COMMENT 'its first 64 KiB' CODEC(ZSTD(1)),
    size        UInt64 COMMENT 'bytes of the whole payload',
    hash        UInt64 COMMENT 'xxHash64 of the whole payload',
    epoch       UInt64 CODEC(ZSTD(1)),
    archive_day Date
)
ENGINE = MergeTree PARTITION BY archive_day ORDER BY (topic, partition, offset) $ttl
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         materialize_ttl_recalculate_only = 1;

-- Every record of the alerts topic, with what the engine made of it. Topic, partition and offset
-- are those of the alerts topic; the raw ones name the last event that it covers.
CREATE TABLE IF NOT EXISTS $db.dispositions
(
    topic         LowCardinality(String),
    partition     Int32,
    offset        Int64 CODEC(Delta(8), ZSTD(1)),
    at            DateTime64(3, 'UTC') COMMENT 'engine clock' CODEC(Delta(8), ZSTD(1)),
    raw_topic     LowCardinality(String),
    raw_partition Int32 CODEC(ZSTD(1)),
    raw_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    first_offset  Int64 COMMENT 'raw, of the first event covered' CODEC(Delta(8), ZSTD(1)),
    episode       Int64 COMMENT 'raw, of the episode''s first event' CODEC(Delta(8), ZSTD(1)),
    fingerprint   FixedString(16) CODEC(ZSTD(1)),
    scope         LowCardinality(String),
    source        LowCardinality(String),
    service       LowCardinality(String),
    entity        String CODEC(ZSTD(1)),
    `check`       LowCardinality(String),
    severity      Enum8('' = 0, 'info' = 1, 'warning' = 2, 'error' = 3, 'critical' = 4),
    status        Enum8('' = 0, 'firing' = 1, 'resolved' = 2),
    verdict       Enum8('' = 0, 'new' = 1, 'changed' = 2, 'update' = 3, 'duplicate' = 4,
                        'redelivered' = 5, 'dropped' = 6, 'over_limit' = 7, 'rejected' = 8),
    flush         Bool COMMENT 'a trailing update of counts, no new event',
    disposition   Enum8('' = 0, 'joined' = 1, 'late' = 2, 'below_severity' = 3, 'silenced' = 4,
                        'inhibited' = 5, 'waiting' = 6, 'orphan_resolve' = 7, 'transient' = 8,
                        'over_limit' = 9),
    incident      String CODEC(ZSTD(1)),
    rule          LowCardinality(String),
    added         UInt64 COMMENT 'events that it added to the incident' CODEC(ZSTD(1)),
    first         DateTime64(3, 'UTC') COMMENT 'of the episode' CODEC(Delta(8), ZSTD(1)),
    since         DateTime64(3, 'UTC') COMMENT 'of the first event covered' CODEC(Delta(8), ZSTD(1)),
    last          DateTime64(3, 'UTC') COMMENT 'of the last event covered' CODEC(Delta(8), ZSTD(1)),
    received      DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    archive_day   Date
)
ENGINE = MergeTree PARTITION BY archive_day ORDER BY (topic, partition, offset) $ttl
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         materialize_ttl_recalculate_only = 1;

-- Every revision of every incident. The view incidents has the latest of each.
CREATE TABLE IF NOT EXISTS $db.incident_revisions
(
    topic              LowCardinality(String),
    partition          Int32,
    offset             Int64,
    at                 DateTime64(3, 'UTC'),
    incident           String,
    revision           UInt32,
    scope              LowCardinality(String),
    rule               LowCardinality(String),
    `group`            Map(LowCardinality(String), String) COMMENT 'in the rule''s order',
    route              LowCardinality(String),
    state              Enum8('' = 0, 'pending' = 1, 'open' = 2, 'acknowledged' = 3,
                             'resolved' = 4),
    severity           Enum8('' = 0, 'info' = 1, 'warning' = 2, 'error' = 3, 'critical' = 4),
    service            LowCardinality(String),
    services           Array(LowCardinality(String)),
    summary            String,
    owner              LowCardinality(String),
    runbook            String,
    priority           LowCardinality(String),
    first_event        DateTime64(3, 'UTC'),
    opened             DateTime64(3, 'UTC'),
    events             UInt64,
    alerts             UInt64,
    firing             UInt64,
    cause              Enum8('' = 0, 'opened' = 1, 'group_wait' = 2, 'severity_rise' = 3,
                             'page' = 4, 'acknowledged' = 5, 'acknowledgement_timeout' = 6,
                             'all_resolved' = 7, 'quiet' = 8, 'resolved_by_person' = 9,
                             'reopened' = 10, 'late_evidence' = 11, 'note' = 12, 'assigned' = 13,
                             'severity_rise_after_acknowledgement' = 14),
    last_event         DateTime64(3, 'UTC'),
    detected           DateTime64(3, 'UTC'),
    paged              Nullable(DateTime64(3, 'UTC')),
    acknowledged       Nullable(DateTime64(3, 'UTC')),
    resolved           Nullable(DateTime64(3, 'UTC')),
    late               UInt64,
    reopened           UInt32,
    pages              UInt32,
    transient          Bool,
    returned_to_normal Bool,
    by                 String,
    assignee           String,
    note               String,
    archive_day        Date
)
ENGINE = MergeTree PARTITION BY archive_day ORDER BY (incident, revision) $ttl
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         materialize_ttl_recalculate_only = 1;

-- Every page. (incident, revision) names it, and the revision that has the rest of what it said.
CREATE TABLE IF NOT EXISTS $db.pages
(
    topic       LowCardinality(String),
    partition   Int32,
    offset      Int64,
    at          DateTime64(3, 'UTC'),
    incident    String,
    revision    UInt32,
    scope       LowCardinality(String),
    rule        LowCardinality(String),
    `group`     Map(LowCardinality(String), String),
    route       LowCardinality(String),
    state       Enum8('' = 0, 'pending' = 1, 'open' = 2, 'acknowledged' = 3, 'resolved' = 4),
    severity    Enum8('' = 0, 'info' = 1, 'warning' = 2, 'error' = 3, 'critical' = 4),
    service     LowCardinality(String),
    services    Array(LowCardinality(String)),
    summary     String,
    owner       LowCardinality(String),
    runbook     String,
    priority    LowCardinality(String),
    first_event DateTime64(3, 'UTC'),
    opened      DateTime64(3, 'UTC'),
    events      UInt64,
    alerts      UInt64,
    firing      UInt64,
    reason      Enum8('' = 0, 'first' = 1, 'new_alerts' = 2, 'severity_rise' = 3,
                      'new_resolved' = 4, 'all_resolved' = 5, 'repeat' = 6, 'escalation' = 7,
                      'acknowledged' = 8, 'flapping' = 9, 'storm' = 10),
    top_alerts  String COMMENT 'JSON: the alerts that it named',
    archive_day Date
)
ENGINE = MergeTree PARTITION BY archive_day ORDER BY (incident, revision) $ttl
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         materialize_ttl_recalculate_only = 1;

-- Every response of a person or a paging service, and what became of it.
CREATE TABLE IF NOT EXISTS $db.responses
(
    topic         LowCardinality(String),
    partition     Int32,
    offset        Int64,
    at            DateTime64(3, 'UTC') COMMENT 'engine clock',
    raw_topic     LowCardinality(String),
    raw_partition Int32,
    raw_offset    Int64,
    incident      String,
    action        Enum8('' = 0, 'acknowledge' = 1, 'resolve' = 2, 'note' = 3, 'assign' = 4),
    outcome       Enum8('' = 0, 'applied' = 1, 'repeated' = 2, 'unknown_incident' = 3),
    by            String,
    said_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'what the response says; informative',
    note          String,
    to            String,
    archive_day   Date
)
ENGINE = MergeTree PARTITION BY archive_day ORDER BY (topic, partition, offset) $ttl
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1,
         materialize_ttl_recalculate_only = 1;
