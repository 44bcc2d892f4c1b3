CREATE OR REPLACE VIEW `flyball`.`held_run_states` AS
SELECT tenant, actor_hash, actor_hash AS posted_actor, run_id, segment, version, run_key, state, agent_id, agent_trust, agent_asserted, credential_id, principal_id,
    task_id, conversation_id, parent_run_id, started_at, last_at, calls, errors, level
FROM `flyball`.`held_runs_store`;
