CREATE DATABASE IF NOT EXISTS `flyball` ON CLUSTER `prod`;
CREATE TABLE IF NOT EXISTS `flyball`.`migrations_local` ON CLUSTER `prod` (
    version UInt32,
    number UInt32,
    name String,
    sum String,
    why String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (number, applied_at);
CREATE TABLE IF NOT EXISTS `flyball`.`migrations` ON CLUSTER `prod` AS `flyball`.`migrations_local`
ENGINE = Distributed('prod', 'flyball', 'migrations_local', rand());
