CREATE OR REPLACE VIEW {{.View "log_losses"}} AS
SELECT * FROM {{.Name "log_losses_store"}} FINAL
