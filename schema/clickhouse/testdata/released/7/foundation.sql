CREATE DATABASE IF NOT EXISTS `flyball` ENGINE = Atomic;
CREATE TABLE IF NOT EXISTS `flyball`.`migrations` (
    version UInt32,
    number UInt32,
    name String,
    sum String,
    why String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (number, applied_at);
