-- What analysts ask. Views are replaced on each migration. A "dimension" is one of all, scope,
-- service, severity, rule (and week), a "value" one value of it: WHERE dimension = 'service'.

-- The latest revision of each incident.
CREATE OR REPLACE VIEW $db.incidents AS
SELECT * FROM $db.incident_revisions ORDER BY incident, revision DESC LIMIT 1 BY incident;

-- Changes of state, the first one from ''.
CREATE OR REPLACE VIEW $db.incident_transitions AS
SELECT incident, revision, at, from_state, state AS to_state, cause, scope, rule, service, severity,
       by
FROM
(
    SELECT *, lagInFrame(state) OVER (PARTITION BY incident ORDER BY revision
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS from_state
    FROM $db.incident_revisions
)
WHERE from_state != state;

-- One row an incident, times in seconds, NULL when there is none:
-- to detect       opened - first event
-- to acknowledge  acknowledged - paged (0 if somebody was faster than the page)
-- to resolve      last resolution - opened, of incidents that are over. Not of transient ones: they
--                 cleared before anybody was to be paged, and would make the figure look good.
CREATE OR REPLACE VIEW $db.incident_times AS
SELECT incident, scope, rule, service, severity, toStartOfWeek(opened, 1) AS week, opened, state,
       transient, returned_to_normal, reopened, events, alerts, pages,
       greatest(0, dateDiff('millisecond', first_event, opened)) / 1000 AS to_detect,
       if(paged IS NULL OR acknowledged IS NULL, NULL,
          greatest(0, dateDiff('millisecond', paged, acknowledged)) / 1000) AS to_acknowledge,
       if(state = 'resolved' AND NOT transient,
          greatest(0, dateDiff('millisecond', opened, resolved)) / 1000, NULL) AS to_resolve,
       paged IS NOT NULL AND acknowledged IS NULL AS never_acknowledged
FROM $db.incidents;

-- MTTD, MTTA and MTTR in seconds: mean, p50, p90 and p99.
CREATE OR REPLACE VIEW $db.response_times AS
SELECT d.1 AS dimension, d.2 AS value, count() AS incidents, countIf(transient) AS transients,
       countIf(state != 'resolved') AS unresolved, countIf(never_acknowledged) AS unacknowledged,
       sum(reopened) AS reopenings,
       avg(to_detect) AS mttd_mean, quantileExact(0.5)(to_detect) AS mttd_p50,
       quantileExact(0.9)(to_detect) AS mttd_p90, quantileExact(0.99)(to_detect) AS mttd_p99,
       avg(to_acknowledge) AS mtta_mean, quantileExact(0.5)(to_acknowledge) AS mtta_p50,
       quantileExact(0.9)(to_acknowledge) AS mtta_p90,
       quantileExact(0.99)(to_acknowledge) AS mtta_p99,
       avg(to_resolve) AS mttr_mean, quantileExact(0.5)(to_resolve) AS mttr_p50,
       quantileExact(0.9)(to_resolve) AS mttr_p90, quantileExact(0.99)(to_resolve) AS mttr_p99
FROM $db.incident_times
ARRAY JOIN [('all', ''), ('scope', toString(scope)), ('service', toString(service)),
            ('severity', toString(severity)), ('rule', toString(rule)),
            ('week', toString(week))] AS d
GROUP BY dimension, value ORDER BY dimension, value;

-- From events to pages, and how much of it was noise. Events are archived and rejected ones
-- (rejected ones have no service: they are in 'all' only); by rule, those whose alerts the rule
-- took. Alerts are distinct fingerprints. Compression is 1 - incidents / events.
CREATE OR REPLACE VIEW $db.funnel AS
SELECT dimension, value, sum(n_events) AS events, sum(n_rejected) AS rejected,
       sum(n_duplicates) AS duplicates, sum(n_alerts) AS alerts, sum(n_incidents) AS incidents,
       sum(n_pages) AS pages, if(events = 0, 0, 1 - incidents / events) AS compression
FROM
(
    SELECT d.1 AS dimension, d.2 AS value, sum(n) AS n_events, 0 AS n_rejected,
           sum(n_repeated) AS n_duplicates, 0 AS n_alerts, 0 AS n_incidents, 0 AS n_pages
    FROM
    (
        SELECT scope, service, severity, count() AS n,
               countIf(verdict IN ('duplicate', 'redelivered')) AS n_repeated
        FROM $db.events GROUP BY scope, service, severity
    )
    ARRAY JOIN [('all', ''), ('scope', toString(scope)), ('service', toString(service)),
                ('severity', toString(severity))] AS d
    GROUP BY dimension, value
    UNION ALL
    SELECT 'all', '', count(), count(), 0, 0, 0, 0 FROM $db.rejected
    UNION ALL
    SELECT d.1 AS dimension, d.2 AS value, sumIf(n, dimension = 'rule'), 0, 0,
           uniqExact(fingerprint), 0, 0
    FROM
    (
        SELECT scope, service, severity, rule, fingerprint, sum(added) AS n
        FROM $db.dispositions GROUP BY scope, service, severity, rule, fingerprint
    )
    ARRAY JOIN [('all', ''), ('scope', toString(scope)), ('service', toString(service)),
                ('severity', toString(severity)), ('rule', toString(rule))] AS d
    GROUP BY dimension, value
    UNION ALL
    SELECT d.1 AS dimension, d.2 AS value, 0, 0, 0, 0, count(), 0 FROM $db.incidents
    ARRAY JOIN [('all', ''), ('scope', toString(scope)), ('service', toString(service)),
                ('severity', toString(severity)), ('rule', toString(rule))] AS d
    GROUP BY dimension, value
    UNION ALL
    SELECT d.1 AS dimension, d.2 AS value, 0, 0, 0, 0, 0, count() FROM $db.pages
    ARRAY JOIN [('all', ''), ('scope', toString(scope)), ('service', toString(service)),
                ('severity', toString(severity)), ('rule', toString(rule))] AS d
    GROUP BY dimension, value
)
GROUP BY dimension, value ORDER BY dimension, value;

-- Which alerts belong to which incident. Severity and status are the latest; late is how many of
-- their records came as late evidence.
CREATE OR REPLACE VIEW $db.incident_alerts AS
SELECT d.incident AS incident, lower(hex(d.fingerprint)) AS fingerprint, any(d.scope) AS scope,
       any(d.rule) AS rule, any(d.service) AS service, any(d.entity) AS entity,
       any(d.`check`) AS `check`, argMax(d.severity, (d.last, d.offset, d.raw_offset)) AS severity,
       argMax(d.status, (d.last, d.offset, d.raw_offset)) AS status, min(d.since) AS first, max(d.last) AS last,
       sum(d.added) AS events, count() AS records, countIf(d.disposition = 'late') AS late
FROM $db.dispositions AS d
WHERE d.incident != ''
  AND d.disposition IN ('joined', 'late', 'below_severity', 'transient', 'over_limit')
GROUP BY d.incident, d.fingerprint;
