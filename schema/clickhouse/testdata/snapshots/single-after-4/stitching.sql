CREATE OR REPLACE VIEW `flyball`.`stitching` AS
SELECT tenant, hour, producer, format, run_rule, sum(s.calls) AS calls
FROM (
    SELECT tenant, hour, producer, format, run_rule, calls FROM `flyball`.`stitching_v5` FINAL
    UNION ALL
    SELECT tenant, hour, producer, format, run_rule, calls FROM `flyball`.`stitching_store` FINAL
) AS s
GROUP BY tenant, hour, producer, format, run_rule;
