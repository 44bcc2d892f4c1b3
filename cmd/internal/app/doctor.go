package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/doctor"
	"flyball/schema"
	chschema "flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// doctorTimeout bounds the collection of the facts about each part. All are collected at once.
const doctorTimeout = 4 * time.Second

// CollectFacts finds out what flyball doctor compares with the configuration. It changes nothing and sends no page. It returns within
// a little more than doctorTimeout, whatever is away.
func CollectFacts(ctx context.Context, c config.Config) *doctor.Facts {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	f := &doctor.Facts{Now: time.Now(), Tokens: tokenFacts(c), Certs: certificateFacts(c), Files: fileFacts(c),
		Listeners: listenerFacts(c)}
	var parts sync.WaitGroup
	var growth float64
	parts.Go(func() { f.Kafka = kafkaFacts(ctx, c) })
	parts.Go(func() { f.ClickHouse, f.Gateways, growth = databaseFacts(ctx, c) })
	parts.Go(func() { f.Process = processFacts(ctx, c) })
	parts.Go(func() { f.Issuer = issuerFacts(ctx, c) })
	parts.Go(func() { f.Links = linkFacts(ctx, c) })
	parts.Go(func() { f.Receivers = receiverFacts(ctx, c) })
	parts.Wait()
	f.Disk = diskFacts(c)
	f.Disk.GrowthPerDay = growth
	return f
}

// databaseFacts looks at ClickHouse, and at what gateways have logged within a day. growth is what was stored in a day, in bytes, if the
// database is on this machine's disk.
func databaseFacts(ctx context.Context, c config.Config) (d doctor.ClickHouse, g doctor.Gateways, growth float64) {
	d.Address, d.Clock.Of = databaseAddrs(c)[0], "ClickHouse"
	d.WantCalls, d.WantRuns = int(c.ClickHouse.Retention.Calls), int(c.ClickHouse.Retention.Runs)
	fail := func(err error) (doctor.ClickHouse, doctor.Gateways, float64) {
		d.Error = schema.WithoutURL(err).Error()
		g.Error = "ClickHouse does not answer"
		return d, g, 0
	}
	db, err := OpenDatabase(c)
	if err != nil {
		return fail(err)
	}
	defer db.Close()
	sent := time.Now()
	server, err := query.ReadServerFacts(ctx, db, c.ClickHouse.Database)
	if err != nil {
		return fail(err)
	}
	d.Version = server.Version
	d.Clock.Known, d.Clock.Ahead = true, ahead(server.Now, sent, time.Now())
	d.Denied = deniedRights(ctx, db, c.ClickHouse.Database)
	live, err := chschema.LiveRetention(ctx, db, MigrationOf(c.ClickHouse).Target)
	if err != nil {
		d.RetentionError = err.Error()
	}
	d.HaveCalls, d.HaveRuns = live.Calls, live.Runs
	unmerged, failed := chschema.ReadUnmerged(ctx, db, MigrationOf(c.ClickHouse).Target)
	if d.Unmerged = unmerged; failed != nil {
		d.UnmergedError = schema.WithoutURL(failed).Error()
	}
	if c.ClickHouse.Unset.Calls {
		d.WantCalls = d.HaveCalls
	}
	if c.ClickHouse.Unset.Runs {
		d.WantRuns = d.HaveRuns
	}
	g = gatewayFacts(ctx, db)
	if chschema.IsNotMigrated(err) || g.Error != "" && server.Bytes == 0 {
		d.NotMigrated = true
	}
	if len(c.ClickHouse.Addr) == 0 {
		growth = float64(server.NewBytes)
	}
	return d, g, growth
}

// ahead returns by how much a clock that was read between two times of this machine is ahead of it.
func ahead(read, before, after time.Time) time.Duration {
	switch {
	case read.After(after):
		return read.Sub(after)
	case read.Before(before):
		return read.Sub(before)
	}
	return 0
}

// accessDenied is ClickHouse's code of a refused statement.
const accessDenied = 497

// deniedRights returns the rights on the database that the user does not have. A server that cannot answer that denies nothing.
func deniedRights(ctx context.Context, db query.DB, database string) (denied []string) {
	for _, right := range []string{"SELECT", "INSERT", "ALTER TABLE", "CREATE TABLE", "DROP TABLE"} {
		granted := uint8(1)
		rows, err := db.Query(ctx, "CHECK GRANT "+right+" ON `"+database+"`.*")
		if err == nil {
			if rows.Next() {
				_ = rows.Scan(&granted)
			}
			_ = rows.Close()
		}
		var refused *clickhouse.Exception
		if granted == 0 || errors.As(err, &refused) && refused.Code == accessDenied {
			denied = append(denied, right)
		}
	}
	return denied
}

// gatewayFacts counts what gateways have logged within a day.
func gatewayFacts(ctx context.Context, db query.DB) (g doctor.Gateways) {
	since := time.Now().Add(-24 * time.Hour)
	seen, err := query.ObservedGateways(ctx, db, since)
	if err != nil {
		return doctor.Gateways{Error: err.Error()}
	}
	coverage, err := query.ReadCoverage(ctx, db, since, time.Time{})
	if err != nil {
		return doctor.Gateways{Error: err.Error()}
	}
	if len(seen) > query.MaxObserved {
		seen = seen[:query.MaxObserved]
		g.Left = fmt.Sprintf("more than %d gateways have logged calls within a day: those with fewer calls were not looked at", query.MaxObserved)
	}
	if len(coverage.Rows) == query.MaxCoverageRows {
		g.Left = fmt.Sprintf("more than %d pairs of agent and gateway have calls within a day: what was asked about the others does not count",
			query.MaxCoverageRows)
	}
	asked := map[string]uint64{}
	for _, r := range coverage.Rows {
		asked[r.Gateway] += r.Asked + r.Unknown // unknown: the check was asked about such a path
	}
	for _, x := range seen {
		g.Seen = append(g.Seen, doctor.Gateway{Name: x.Gateway, Calls: x.Calls, Decisions: x.Decisions, Receipts: x.Receipts,
			Established: x.Established, Claimed: x.Claimed, Contradicted: x.Contradicted, Asked: asked[x.Gateway]})
	}
	return g
}

// processFacts asks the process on metrics.listen for its status and its time.
func processFacts(ctx context.Context, c config.Config) (p doctor.Process) {
	p.Address, p.Clock.Of = c.Metrics.Listen, "the process"
	client := &http.Client{Timeout: doctorTimeout}
	var s ProcessStatus
	sent := time.Now()
	date, err := getJSON(ctx, client, "http://"+reachableAddress(c.Metrics.Listen)+"/status", &s)
	if err != nil {
		p.Error = fmt.Sprintf("nothing of Flyball answers on metrics.listen %s: %v", c.Metrics.Listen, schema.WithoutURL(err))
		return p
	}
	for _, part := range s.Parts {
		if !part.Ready {
			p.NotReady = append(p.NotReady, part.Part+": "+part.Reason)
		}
		if part.Warning != "" {
			p.Warnings = append(p.Warnings, part.Part+": "+part.Warning)
		}
	}
	p.Restart, p.FileError = s.Restart, s.FileError
	if at, err := http.ParseTime(date); err == nil {
		// The header has whole seconds.
		p.Clock.Known, p.Clock.Ahead = true, ahead(at, sent.Add(-time.Second), time.Now())
	}
	return p
}

// linkFacts asks the address of the links in pages who answers there.
func linkFacts(ctx context.Context, c config.Config) (l doctor.Links) {
	if l.URL = c.Control.PublicURL; l.URL == "" {
		return l
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(l.URL, "/")+"/openapi.json", nil)
	if err != nil {
		l.Error = err.Error()
		return l
	}
	resp, err := (&http.Client{Timeout: doctorTimeout}).Do(req)
	if err != nil {
		l.Error = schema.WithoutURL(err).Error()
		return l
	}
	defer resp.Body.Close()
	l.Deployment = resp.Header.Get(HeaderDeployment)
	if keys, err := ReadKeys(c, false); err == nil {
		l.Want = keys.Deployment()
	}
	return l
}

// getJSON reads a JSON document, and returns the header Date of the response.
func getJSON(ctx context.Context, client *http.Client, url string, into any) (date string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return resp.Header.Get("Date"), json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 4<<20)).Decode(into)
}

// diskFacts reads the room of the data folder's file system, if the broker or the engine is embedded.
func diskFacts(c config.Config) (d doctor.Disk) {
	if len(c.Kafka.Brokers) > 0 && len(c.ClickHouse.Addr) > 0 {
		return d
	}
	d.Dir = c.Data
	var s syscall.Statfs_t
	if err := syscall.Statfs(c.Data, &s); err != nil {
		d.Error = c.Data + ": " + err.Error()
		return d
	}
	d.Free, d.Total = s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize)
	if len(c.Kafka.Brokers) == 0 {
		d.Kept = min(uint64(c.Kafka.MinFreeMiB)<<20, d.Total/10)
	}
	return d
}
