package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"flyball/cmd/internal/diskguard"
	"flyball/schema/clickhouse"
)

// startDiskGuard watches the disk of the data folder, and that of an outside ClickHouse as far as its user may ask for it.
func (p *process) startDiskGuard() {
	c := p.config
	var disks []diskguard.Disk
	if _, err := os.Stat(c.Data); err == nil {
		path, err := filepath.Abs(c.Data)
		if err != nil {
			path = c.Data
		}
		disks = append(disks, diskguard.Disk{Name: "data", Path: path, Read: diskguard.Folder(path)})
	}
	if len(c.ClickHouse.Addr) > 0 && p.has("store") {
		disks = append(disks, diskguard.Disk{Name: "clickhouse", Path: strings.Join(c.ClickHouse.Addr, ", "), Read: databaseSpace(p.database)})
	}
	limits := diskguard.Limits{Warn: c.Disk.WarnFree.Of, Stop: c.Disk.StopFree.Of}
	p.disks = diskguard.New(disks, limits, p.log.With("component", "disk"), p.metrics)
	p.parts.start(part{name: "disk", run: p.disks.Run, warning: p.disks.Warning})
}

// databaseSpace reads the space of the fullest disk of ClickHouse that is not of an object store.
func databaseSpace(db *clickhouse.Conn) func(context.Context) (diskguard.Space, error) {
	return func(ctx context.Context) (s diskguard.Space, err error) {
		text, err := db.QueryText(ctx, "SELECT free_space, total_space FROM system.disks WHERE total_space BETWEEN 1 AND toUInt64(9e18) "+
			"ORDER BY free_space / total_space LIMIT 1")
		if err != nil {
			return s, fmt.Errorf("system.disks: %w", err)
		}
		if _, err := fmt.Sscan(text, &s.Free, &s.Total); err != nil {
			return s, fmt.Errorf("system.disks: %q", text)
		}
		return s, nil
	}
}
