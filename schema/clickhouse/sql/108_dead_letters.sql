CREATE OR REPLACE VIEW {{.View "dead_letters"}} AS
SELECT * FROM {{.Name "dead_letters_store"}} FINAL
