CREATE OR REPLACE VIEW `flyball`.`stored_spans` AS
SELECT min(start_time) AS first_at, max(start_time) AS last_at, count() AS rows, true AS posted
FROM `flyball`.`calls_v5`;
