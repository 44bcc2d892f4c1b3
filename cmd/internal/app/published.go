package app

import (
	"context"
	"sync/atomic"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
	"flyball/schema/route"
)

// learned holds the parts of the newest published versions that the process uses. Its methods
// may be called at any time.
type learned struct {
	routes *route.Current              // the operator's routes, the orders about learned ones, and the learned ones
	tables *routeTables                // what routes holds; nil: the process classifies no call
	scopes atomic.Pointer[scope.Guard] // nil: nothing was published, or learned scopes are off
	known  atomic.Pointer[map[string]bool]
}

// names returns what was published about routes.
func (l *learned) names() namedRoutes {
	if l.tables == nil {
		return namedRoutes{}
	}
	return l.tables.published()
}

// isLearning reports whether the newest version does not know an agent by its own past: it is of another class of
// acquaintance than known_agent. It is true for all agents before the first version. A new version of a known agent is
// known.
func (l *learned) isLearning(agent string) bool {
	known := l.known.Load()
	return known == nil || !(*known)[agent]
}

// setKnown keeps which agents a version knows. The rest of the version is large and not used.
func (l *learned) setKnown(b *baseline.Baseline) {
	known := map[string]bool{}
	for agent, v := range b.LearnedAgents() {
		if v.Acquaintance == schema.KnownAgent {
			known[agent] = true
		}
	}
	l.known.Store(&known)
}

// loadTimeout is the maximum time that the start waits for the newest published versions.
const loadTimeout = 30 * time.Second

// watchVersions loads the newest published versions before a role starts, and then follows new
// ones. If they cannot be read, the process starts without them.
func (p *process) watchVersions(ctx context.Context) error {
	c, log := p.config, p.log
	p.versions = baselinestore.NewWatcher(p.kafka, c.Tenant, log)
	watched := false
	if p.has("ingest", "control") {
		operator, err := operatorRoutes(c)
		if err != nil {
			return err
		}
		if p.learned.tables, err = newRouteTables(operator, p.key); err != nil {
			return err
		}
		p.learned.routes = p.learned.tables.current
		p.learned.tables.follow(p.versions, log)
		p.rereading.add("routes", func(next config.Config) (change, error) {
			rules, err := operatorRoutes(next)
			if err != nil {
				return change{}, err
			}
			put, abandon, err := p.learned.tables.prepare(rules)
			return change{put, abandon}, err
		})
		watched = true
	}
	if p.has("control") && c.Detect.LearnedScope != config.LearnedScopeOff {
		p.versions.OnBaseline(func(b *baseline.Baseline) {
			p.learned.scopes.Store(scope.NewGuard(b.Scopes))
			log.Info("learned scopes in place", "version", b.Version, "known", b.Scopes != nil)
		})
		watched = true
	}
	if p.has("control") && c.Control.WithoutManifest == config.WithoutManifestAskWhileLearning {
		p.versions.OnBaseline(p.learned.setKnown)
		watched = true
	}
	if !watched {
		return nil
	}
	load, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if err := p.versions.Load(load); err != nil {
		log.Warn("published baselines and routes cannot be read; until they can, routes are the operator's and no write is held "+
			"by a learned scope", "error", err)
	}
	p.parts.start(part{name: "published versions", run: p.versions.Run})
	return nil
}
