CREATE OR REPLACE VIEW `flyball`.`held_postings` ON CLUSTER `prod` AS
SELECT DISTINCT tenant, CAST(p.1 AS Enum8('agent_id' = 0, 'agent_asserted' = 1, 'credential_id' = 2, 'principal_id' = 3, 'client_ip' = 4, 'host' = 5, 'tool_name' = 6)) AS kind, CAST(p.2 AS String) AS value, day, actor_hash
FROM (
    SELECT tenant, actor_hash, toDate(start_time) AS day, arrayJoin([('agent_id', agent_id), ('agent_asserted', agent_asserted), ('credential_id', credential_id), ('principal_id', principal_id)]) AS p FROM `flyball`.`held_calls_store`
    UNION ALL
    SELECT tenant, actor_hash, toDate(started_at) AS day, arrayJoin([('agent_id', agent_id), ('agent_asserted', agent_asserted), ('credential_id', credential_id), ('principal_id', principal_id)]) AS p FROM `flyball`.`held_runs_store`
)
WHERE p.2 != '';
