package config

import (
	"slices"
	"strings"
	"time"
)

// Canary configures the synthetic agent that runs away at an interval, and so measures the path from a log line to a page. Its calls are
// of a tenant of their own, and are stored nowhere.
type Canary struct {
	// Interval is the time between two rounds of the role control; 0: none. Within Bound a round must have come back.
	Interval Duration `yaml:"interval"`
	Bound    Duration `yaml:"bound"`
	// Topic is the input to which the canary writes its lines; empty: the first one with format auto or envoy_json.
	Topic string `yaml:"topic"`
}

func defaultCanary() Canary { return Canary{Bound: Duration(30 * time.Second)} }

// canaryFormats are the formats in which the canary writes.
var canaryFormats = []string{"auto", "envoy_json"}

// CanaryTopic returns the input to which the canary writes its lines; empty: there is none.
func (c Config) CanaryTopic() string {
	for _, in := range c.Kafka.Inputs {
		if (c.Canary.Topic == "" || c.Canary.Topic == in.Topic) && (in.Signal == "" || in.Signal == "logs") &&
			slices.Contains(canaryFormats, in.Format) {
			return in.Topic
		}
	}
	return ""
}

func (c Config) validateCanary(p *problems) {
	every, bound := time.Duration(c.Canary.Interval), time.Duration(c.Canary.Bound)
	if bound < time.Second || bound > 10*time.Minute {
		p.add("canary.bound: %s must be from 1s to 10m", c.Canary.Bound)
	}
	if every != 0 && (every < 10*time.Second || every > 24*time.Hour) {
		p.add("canary.interval: %s must be 0 (no canary) or from 10s to 24h", c.Canary.Interval)
	}
	if every != 0 && bound > every {
		p.add("canary.bound is %s and canary.interval is %s: a round must end before the next one; shorten the bound", c.Canary.Bound,
			c.Canary.Interval)
	}
	if c.CanaryTopic() == "" && (every != 0 || c.Canary.Topic != "") {
		p.add("canary.topic: %q: none of kafka.inputs has that topic and one of the formats that the canary writes (%s)", c.Canary.Topic,
			strings.Join(canaryFormats, ", "))
	}
	if every != 0 && c.Check.TLS.CA != "" {
		p.add("canary.interval and check.tls.ca are set: the check requires a client's certificate, which the canary does not have; " +
			"use check.token_file, or set canary.interval to 0")
	}
}
