CREATE OR REPLACE VIEW `flyball`.`held_scores` AS
SELECT * FROM `flyball`.`held_scores_store` FINAL;
