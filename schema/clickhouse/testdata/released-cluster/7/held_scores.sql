CREATE OR REPLACE VIEW `flyball`.`held_scores` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`held_scores_store` FINAL;
