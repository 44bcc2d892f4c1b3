CREATE OR REPLACE VIEW {{.View "held_postings"}} AS
SELECT DISTINCT tenant, CAST(p.1 AS {{.Type "postings" "kind"}}) AS kind, CAST(p.2 AS String) AS value, day, actor_hash
FROM (
    SELECT tenant, actor_hash, toDate(start_time) AS day, arrayJoin([('agent_id', agent_id), ('agent_asserted', agent_asserted), ('credential_id', credential_id), ('principal_id', principal_id)]) AS p FROM {{.Name "held_calls_store"}}
    UNION ALL
    SELECT tenant, actor_hash, toDate(started_at) AS day, arrayJoin([('agent_id', agent_id), ('agent_asserted', agent_asserted), ('credential_id', credential_id), ('principal_id', principal_id)]) AS p FROM {{.Name "held_runs_store"}}
)
WHERE p.2 != ''
