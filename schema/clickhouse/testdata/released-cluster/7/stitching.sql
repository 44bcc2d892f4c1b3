CREATE OR REPLACE VIEW `flyball`.`stitching` ON CLUSTER `prod` AS
SELECT tenant, hour, producer, format, run_rule, sum(s.calls) AS calls
FROM `flyball`.`stitching_v5` AS s FINAL
GROUP BY tenant, hour, producer, format, run_rule;
