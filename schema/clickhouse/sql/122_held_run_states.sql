CREATE OR REPLACE VIEW {{.View "held_run_states"}} AS
SELECT tenant, actor_hash, actor_hash AS posted_actor, {{template "run_state_columns"}}
FROM {{.Name "held_runs_store"}}
