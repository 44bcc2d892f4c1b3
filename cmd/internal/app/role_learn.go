package app

import (
	"log/slog"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/learn"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
)

// startLearn starts the learner, which publishes baselines and learned routes.
func (p *process) startLearn() error {
	o := learnOptions(p.config, p.kafka, p.database)
	o.Logger, o.Registerer = p.log.With("component", "learn"), p.metrics
	l := learn.New(o)
	p.parts.start(part{name: "learn", run: l.Run, warning: l.Warning})
	return nil
}

// NewLearner makes a learner for a command that learns once.
func NewLearner(c config.Config, cfg kafka.Config, db *clickhouse.Conn, log *slog.Logger) *learn.Learner {
	o := learnOptions(c, cfg, db)
	o.Logger = log
	return learn.New(o)
}

// learnOptions returns the configured options. The caller sets Logger and Registerer.
func learnOptions(c config.Config, cfg kafka.Config, db *clickhouse.Conn) learn.Options {
	o := learn.DefaultOptions()
	o.Tenant, o.Kafka, o.DB, o.Rows, o.Code, o.Now = c.Tenant, cfg, db, db, codeVersion(), time.Now
	o.Every, o.Quarantine = time.Duration(c.Learn.Every), time.Duration(c.Learn.Quarantine)
	o.Window, o.MinRuns = time.Duration(c.Learn.Window), c.Learn.MinRuns
	return o
}
