CREATE OR REPLACE VIEW `flyball`.`verdict_history` AS
SELECT * FROM `flyball`.`verdict_history_store` FINAL
UNION DISTINCT
SELECT * FROM `flyball`.`verdicts_store` FINAL;
