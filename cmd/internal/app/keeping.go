package app

import (
	"flyball/alerts/incident"
	"flyball/cmd/internal/backup"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/ledger"
	"flyball/detect/engine"
	"flyball/detect/stitch"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// FormatVersions are the newest versions of the formats that outlive a process: a program reads these and the version before.
func FormatVersions() map[string]int {
	return map[string]int{"schema": clickhouse.Version, "calls": wire.CallsVersion, "journal": wire.JournalVersion, "marks": wire.MarksVersion,
		"events": wire.EventVersion, "commands": wire.CommandVersion, "baselines": wire.BaselineVersion, "routes": wire.RoutesVersion,
		"points": wire.PointVersion, "breakers": ledger.SnapshotVersion, "state": stitch.StateVersion, "progress": engine.ProgressVersion,
		"pages": incident.PageVersion}
}

// backupServer answers requests for snapshots of the embedded parts.
func (p *process) backupServer() *backup.Server {
	s := &backup.Server{Data: p.config.Data, Freeze: p.freeze, Database: p.config.ClickHouse.Database, Log: p.log.With("component", "backup")}
	if len(p.config.ClickHouse.Addr) == 0 {
		s.Engine = p.database
	}
	return s
}

// BackupHeader describes a backup of a deployment. withKey: it holds the key.
func BackupHeader(c config.Config, withKey bool) (backup.Header, error) {
	h := backup.Header{Flyball: codeVersion(), Tenant: c.Tenant, Key: withKey && c.SecretKeyFile == "", Versions: FormatVersions()}
	keys, err := ReadKeys(c, false)
	if err != nil {
		return h, err
	}
	h.Deployment = keys.Deployment()
	return h, nil
}
