CREATE OR REPLACE VIEW {{.View "held_calls"}} AS
SELECT
    tenant, actor_hash, {{template "call_columns"}}
FROM {{.Name "held_calls_store"}} FINAL
