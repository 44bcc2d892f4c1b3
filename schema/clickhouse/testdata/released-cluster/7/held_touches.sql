CREATE OR REPLACE VIEW `flyball`.`held_touches` ON CLUSTER `prod` AS
SELECT
    tenant, resource,
    substring(resource, 1, position(resource, ':') - 1) AS resource_type,
    run_id, effect,
    max(t.actor_hash) AS actor_hash,
    max(t.reversibility) AS reversibility,
    min(t.first_at) AS first_at,
    max(t.last_at) AS last_at
FROM `flyball`.`held_touches_store` AS t
GROUP BY tenant, resource, run_id, effect;
