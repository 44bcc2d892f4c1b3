-- Users at a ClickHouse of yours: Flyball's own, which writes, and one for people and Grafana, which reads. With a cluster add ON CLUSTER to each
-- statement. Replace both passwords. A right that is missing: flyball doctor.
CREATE DATABASE IF NOT EXISTS flyball;

CREATE USER flyball_writer IDENTIFIED WITH sha256_password BY 'WRITER-PASSWORD';
GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE ON flyball.* TO flyball_writer;
GRANT SELECT ON system.tables TO flyball_writer;
GRANT SELECT ON system.columns TO flyball_writer;
GRANT SELECT ON system.databases TO flyball_writer;
GRANT SELECT ON system.parts TO flyball_writer;
GRANT SELECT ON system.detached_parts TO flyball_writer;
GRANT SELECT ON system.mutations TO flyball_writer;
GRANT SELECT ON system.merges TO flyball_writer;
GRANT SELECT ON system.disks TO flyball_writer;
GRANT SELECT ON system.clusters TO flyball_writer;
-- With clickhouse.cluster:
-- GRANT CLUSTER, REMOTE ON *.* TO flyball_writer;

-- readonly = 2: it may set limits of its own queries, as the data source of Grafana does, within these bounds.
CREATE SETTINGS PROFILE flyball_reader SETTINGS readonly = 2, max_execution_time = 60 MAX 60, max_memory_usage = 4000000000 MAX 4000000000;
CREATE USER flyball_reader IDENTIFIED WITH sha256_password BY 'READER-PASSWORD' SETTINGS PROFILE 'flyball_reader';
GRANT SELECT ON flyball.* TO flyball_reader;
