package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"flyball/cmd/internal/config"
)

// IsFirstStart reports whether nothing has been started with this data folder yet: it holds no key, and no folders of embedded parts.
// A folder that was made for it, as a volume is, can hold other things.
func IsFirstStart(c config.Config) bool {
	for _, made := range []string{filepath.Join(c.Data, "secret.key"), brokerDir(c), engineDir(c)} {
		if _, err := os.Stat(made); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// FirstStartLines returns what somebody must know who starts Flyball for the first time, in at most ten lines.
func FirstStartLines(c config.Config) []string {
	var gateways, otlp []string
	for _, in := range c.Kafka.Inputs {
		if in.Signal == "" {
			gateways = append(gateways, in.Topic+" ("+in.Format+")")
		} else {
			otlp = append(otlp, in.Topic)
		}
	}
	folder := c.Data
	if abs, err := filepath.Abs(c.Data); err == nil {
		folder = abs
	}
	mode := "It observes: nothing is denied until you arm an agent (flyball arm)."
	if c.Detect.Mode == config.ModeArmed {
		mode = "It is armed: runaways are denied where gateways ask (detect.mode)."
	} else if len(c.Detect.Armed) > 0 {
		mode = "It observes, and enforces for " + strings.Join(c.Detect.Armed, ", ") + " (detect.armed)."
	}
	from := "the defaults; flyball config reference explains the keys of flyball.yaml"
	if c.File != "" {
		from = c.File + "; flyball config explain KEY explains its keys"
	}
	scheme := "http"
	if c.Check.TLS.Cert != "" {
		scheme = "https"
	}
	return []string{
		"First start of Flyball. " + mode,
		"  write logs to   Kafka " + strings.Join(seedBrokers(c), ",") + ", topic " + strings.Join(append(gateways, otlp...), ", "),
		fmt.Sprintf("  gateways ask    %s://%s/check/envoy, nginx, caddy, traefik, haproxy, kong or apisix; gRPC %s", scheme, c.Check.Listen,
			c.Check.GRPC),
		"  SQL             ClickHouse at " + strings.Join(databaseAddrs(c), ",") + ", database " + c.ClickHouse.Database,
		fmt.Sprintf("  kept            calls %s, runs and findings %s (clickhouse.retention)", forTime(c.ClickHouse.Retention.Calls),
			forTime(c.ClickHouse.Retention.Runs)),
		"  data            " + folder,
		"  configuration   " + from,
		"  next            flyball decode access.log: how would your log be read?",
		"                  ship the log to the topic, then flyball status and flyball runs",
	}
}

// forTime says how long rows are kept.
func forTime(d config.Days) string {
	if d == 0 {
		return "for ever"
	}
	return fmt.Sprintf("%d days", d)
}
