package app

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/identity"
)

// registry is the operator's word on agents, as it stands now. The roles of a
// process share one.
type registry struct {
	agents      atomic.Pointer[map[string]config.Agent]
	credentials atomic.Pointer[map[string]bool]
	resolvers   []*identity.Resolver // updated with every change
	arming      policy.Arming
}

func newRegistry(c config.Config) *registry {
	r := &registry{arming: PolicyRules(c).Arming}
	r.put(c.Agents)
	return r
}

func (r *registry) put(list []config.Agent) {
	by, credentials := make(map[string]config.Agent, len(list)), map[string]bool{}
	for _, a := range list {
		for _, id := range []string{a.Credential, a.SPIFFE, a.Consumer} {
			credentials[id] = id != ""
		}
		have := by[a.ID] // an agent may have several lines, one for each credential
		a.Tags = append(have.Tags[:len(have.Tags):len(have.Tags)], a.Tags...)
		if a.Criticality == "" {
			a.Criticality = have.Criticality
		}
		by[a.ID] = a
	}
	r.agents.Store(&by)
	r.credentials.Store(&credentials)
	for _, id := range r.resolvers {
		id.Register(identityEntries(list))
	}
}

// about is what policy asks of an agent.
func (r *registry) about(agent string) (tags []string, criticality string) {
	a := (*r.agents.Load())[agent]
	return a.Tags, a.Criticality
}

// tags of an agent.
func (r *registry) tags(agent string) []string { return (*r.agents.Load())[agent].Tags }

// registered reports whether the registry names an agent, or a credential.
func (r *registry) registered(s schema.Scope) bool {
	all := *r.agents.Load()
	switch s.Kind {
	case schema.ScopeAgent:
		_, ok := all[s.Value]
		return ok
	case schema.ScopeCredential:
		return (*r.credentials.Load())[s.Value]
	}
	return false
}

// armed says whether what a family finds is enforced for an agent.
func (r *registry) armed(agent, family string) bool {
	return r.arming.Enforces(agent, (*r.agents.Load())[agent].Tags, family)
}

func identityEntries(list []config.Agent) []identity.Entry {
	var out []identity.Entry
	for _, a := range list {
		out = append(out, identity.Entry{Agent: a.ID, Credential: a.Credential, SPIFFE: a.SPIFFE, Consumer: a.Consumer, Owner: a.Owner, Tags: a.Tags})
	}
	return out
}

// lookEvery is how often the configuration's file is looked at.
const lookEvery = 2 * time.Second

// reload puts another registry in place when the file has one. A file that cannot
// be read, or that is wrong, changes nothing; what else changed in it waits for a
// restart, and is said so.
func (r *registry) reload(c config.Config, log *slog.Logger) func(context.Context) error {
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
			r.put(next.Agents)
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

// AgentLookup says what a configuration's registry knows of an agent, for a command.
func AgentLookup(c config.Config) func(agent string) (tags []string, criticality string) {
	return newRegistry(c).about
}
