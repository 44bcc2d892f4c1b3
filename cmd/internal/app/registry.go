package app

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"time"

	"flyball/cmd/internal/config"
	"flyball/schema/identity"
)

// registry is the operator's word on who an agent is.
func registry(c config.Config) []identity.Entry {
	var out []identity.Entry
	for _, a := range c.Agents {
		out = append(out, identity.Entry{Agent: a.ID, Credential: a.Credential, SPIFFE: a.SPIFFE, Consumer: a.Consumer, Owner: a.Owner, Tags: a.Tags})
	}
	return out
}

// lookEvery is how often the configuration's file is looked at.
const lookEvery = 2 * time.Second

// reloads puts another registry in place when the file has one. A file that
// cannot be read, or that is wrong, changes nothing; what else changed in it
// waits for a restart, and is said so.
func reloads(c config.Config, id *identity.Resolver, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		if c.File == "" {
			<-ctx.Done()
			return nil
		}
		last := stamp(c.File)
		return every(ctx, lookEvery, func() {
			now := stamp(c.File)
			if now == last {
				return
			}
			last = now
			next, err := config.Load(c.File, os.Environ())
			if err == nil {
				err = next.Validate()
			}
			if err != nil {
				log.Error("the registry stays as it was: the configuration cannot be read", "file", c.File, "error", err)
				return
			}
			id.Register(registry(next))
			log.Info("registry read again", "file", c.File, "agents", len(next.Agents))
			was := c
			was.Agents, next.Agents = nil, nil
			was.Data, next.Data = "", ""
			if !reflect.DeepEqual(was, next) {
				log.Warn("the configuration has changed beyond agents: restart for the rest", "file", c.File)
			}
		})
	}
}

// every does something now and then until ctx ends.
func every(ctx context.Context, pause time.Duration, do func()) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			do()
		}
	}
}

// stamp tells whether a file is another one than before.
func stamp(file string) [2]int64 {
	info, err := os.Stat(file)
	if err != nil {
		return [2]int64{}
	}
	return [2]int64{info.ModTime().UnixNano(), info.Size()}
}
