package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/broker"
	engine "flyball/cmd/internal/embedded/clickhouse"
)

// startBroker starts the embedded Kafka broker, and lets the clients of this process connect to it through memory.
func (p *process) startBroker() error {
	o, err := brokerOptions(p.config)
	if err != nil {
		return err
	}
	b, err := broker.Start(o, p.log.With("component", "broker"), p.metrics)
	if err != nil {
		return err
	}
	p.kafka.Options = append(p.kafka.Options, kgo.Dialer(b.Dial))
	p.freeze = b.Freeze
	p.parts.start(part{name: "broker", run: func(ctx context.Context) error {
		defer b.Close()
		return b.Run(ctx)
	}, warning: b.Shortage})
	return nil
}

// startEngine starts the embedded ClickHouse engine and waits until it responds.
func (p *process) startEngine(ctx context.Context) error {
	if err := MakeEnginePassword(p.config); err != nil {
		return err
	}
	o, err := EngineOptions(p.config)
	if err != nil {
		return err
	}
	if !p.log.Enabled(ctx, slog.LevelInfo) {
		o.Args = append(o.Args, "--log-level", "error")
	}
	supervisor := engine.NewSupervisor(o, p.log, p.metrics)
	ready := func() error {
		if !supervisor.Ready() {
			return errors.New("the engine is not answering")
		}
		return nil
	}
	p.parts.start(part{name: "engine", run: supervisor.Run, ready: ready, stopTimeout: 20 * time.Second})
	if err := p.parts.waitReady(ctx, ready, time.Minute); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// EngineOptions returns the options of the embedded engine, including its password.
func EngineOptions(c config.Config) (engine.Options, error) {
	o := engine.DefaultOptions()
	o.Path, o.Listen, o.ReadListen = engineDir(c), c.ClickHouse.Listen, c.ClickHouse.ReadListen
	o.Databases = []string{c.ClickHouse.Database}
	o.Args = []string{"engine", "--path", o.Path, "--listen", o.Listen}
	var err error
	if c.ClickHouse.PasswordFile == "" {
		o.AnonymousReads = true
		o.User, o.Password, err = engineLogin(c)
		return o, err
	}
	o.User = c.ClickHouse.User
	o.Password, err = secretFile("clickhouse.password_file", c.ClickHouse.PasswordFile)
	return o, err
}
