CREATE OR REPLACE VIEW {{.View "baseline_orders"}} AS
SELECT * FROM {{.Name "baseline_orders_store"}} FINAL
