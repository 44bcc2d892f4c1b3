package check

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/enforce"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/sightings"
	"flyball/detect/model/scope"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/kafka"
	"flyball/schema/route"
)

// Classifier classifies the call of a request by the same rules as ingest; see
// schema/route.
type Classifier interface {
	// Readings classifies a call by its first reading, and returns the others.
	Readings(c *schema.Call, in *route.Input) (others []route.Other, readable bool)
	// Digest returns a keyed digest of a text.
	Digest(text string) uint64
	// Spellings returns the other names of a classified call's route.
	Spellings(c *schema.Call) []string
	// MoneyHeaders returns the names of the request headers that are configured to contain amounts.
	MoneyHeaders() []string
}

// State is the folded state; *point.Point.
type State interface {
	// Acquire returns the state with its read lock held.
	Acquire() point.View
	// RecordDenial records that the breaker of a generation denied a request at a time.
	RecordDenial(generation uint64, at int64)
}

// Log writes commands and findings; *point.Log.
type Log interface {
	// IsOpen reports whether commands and findings can be written.
	IsOpen() bool
	// Claim writes a command and waits for its result, at most point.ClaimTimeout.
	Claim(standing schema.Standing, command *schema.Command) (enforce.Result, error)
	// Send writes a command and does not wait.
	Send(command *schema.Command, written func(error))
	// PublishFinding writes a finding to flyball.events.
	PublishFinding(f *schema.Finding)
	// Answers reports whether it is useful to wait for results of the log, and whether the log is
	// unreachable.
	Answers() (answers, away bool)
	// Folds returns how many records were folded, for GiveUp.
	Folds() int64
	// GiveUp records that no result arrived for a command that was written when Folds returned
	// folds.
	GiveUp(folds int64)
}

// Options of a checker.
type Options struct {
	State State
	Log   Log
	// Runs and Names record the runs and names of requests.
	Runs  *sightings.Runs
	Names *sightings.Names

	Kafka      kafka.Config // for the records of checked requests
	Name       string       // of the point
	Partitions int32        // of flyball.calls
	Resolver   *identity.Resolver
	Routes     Classifier
	Token      schema.Secret // gateways must send it; "": see isGateway
	// TokenNow returns the present token if it can change while the checker runs; nil: it is Token.
	TokenNow func() schema.Secret
	// TrustedHops is how many proxies in front of the gateways are trusted to name the
	// address of their client; see identity.ClientAddress.
	TrustedHops int
	// Armed reports whether this point's configuration enforces a family of policy
	// (policy.scope …) for an agent; nil: never. Commands have priority over it.
	Armed func(agent, family string) bool
	// Tags returns the tags of an agent in the registry; nil: none.
	Tags func(agent string) []string
	// Scopes returns the learned scopes of agents without a manifest; nil, or a result of
	// nil: there are none.
	Scopes func() *scope.Guard
	// ApprovalWithoutManifest: irreversible calls of agents without a manifest need approval.
	ApprovalWithoutManifest bool
	// Learning, when set, reports whether the baseline of an agent (a baseline.AgentKey) is
	// learning: irreversible calls of such agents without a manifest need approval.
	Learning func(agent string) bool
	// ThrottlePerSecond is how many calls a second a throttled scope may make at this
	// point; 0: one.
	ThrottlePerSecond float64
	// KeptPath removes secrets from a path, as ingest does; nil: nothing is removed. It is for the record of a checked request and
	// for the name that its route has in the log. Decisions use the whole path.
	KeptPath func(path string) string
	// KeptText does the same with a text that a client chose, such as its user agent.
	KeptText func(text string) string

	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Checker decides on the requests of gateways. It is safe for concurrent use.
type Checker struct {
	o Options
	m *metrics

	work      *workShare
	reader    reader
	claims    *claims
	quotas    *quotas
	throttles *throttles
	late      *lateUses
	observer  *observer

	checked, denied atomic.Uint64

	panicNotice         oncePerMinute
	misconfiguredNotice oncePerMinute
	droppedNotice       oncePerMinute
}

// New returns a checker that can answer at once; Run writes the records of checked requests.
func New(o Options) (*Checker, error) {
	if o.State == nil || o.Log == nil || o.Runs == nil || o.Names == nil || o.Resolver == nil || o.Routes == nil || o.Now == nil ||
		o.Logger == nil {
		return nil, errors.New("control: a check needs a point, memories, the rules of identity and routes, a clock and a logger")
	}
	if o.Armed == nil {
		o.Armed = func(string, string) bool { return false }
	}
	if o.ThrottlePerSecond <= 0 {
		o.ThrottlePerSecond = 1
	}
	m := newMetrics(o.Registerer)
	c := &Checker{o: o, m: m, work: newWorkShare(), throttles: newThrottles(o.ThrottlePerSecond), late: newLateUses(),
		observer: newObserver(o.Name, o.Partitions, m)}
	c.reader = reader{&c.o, m, c.o.spellings}
	c.claims = &claims{&c.o, m, newQuestionLimits()}
	c.quotas = &quotas{&c.o, m, newLeases(o.Name, o.Log, m)}
	return c, nil
}

// CommandApplied receives the result of a command that the point has folded.
func (c *Checker) CommandApplied(id string, r enforce.Result) { c.quotas.leases.settle(id, r) }

// Tick closes the findings about run keys that are not used any more, at the log's time.
func (c *Checker) Tick(clock int64) {
	for _, f := range c.late.close(clock) {
		c.o.Log.PublishFinding(f)
	}
}

// Counts returns how many requests were answered and denied since the start.
func (c *Checker) Counts() (checked, denied uint64) { return c.checked.Load(), c.denied.Load() }

// guarded reads and checks a request. A panic inside is a denial: a gateway treats a
// missing answer as an outage, and a caller must not be able to cause one.
func (c *Checker) guarded(do func() answer) (a answer) {
	defer func() {
		if fault := recover(); fault != nil {
			a = c.failed(fault)
		}
	}()
	return do()
}

// failed returns the answer after a fault of the check itself.
func (c *Checker) failed(fault any) answer {
	a := c.refusal(whyInternal)
	c.m.panics.Inc()
	if c.panicNotice.due(c.o.Now()) {
		c.o.Logger.Error("a check failed; the request was denied", "decision", a.decision, "error", fault, "stack", string(debug.Stack()))
	}
	return a
}

// unreadable returns the answer to a request that cannot be read. It is always a denial: a
// gateway treats any other failure as an outage, and lets reads pass during one.
func (c *Checker) unreadable(why string) answer {
	a := c.refusal(why)
	if why == whyMisconfigured && c.misconfiguredNotice.due(c.o.Now()) {
		c.o.Logger.Warn("a gateway does not name the request that it asks about; use /check/<gateway> and the shipped gateway file",
			"reason", why)
	}
	return a
}

// refusal returns a denial of a request about which nothing else is known.
func (c *Checker) refusal(why string) answer {
	a := answer{status: http.StatusForbidden, action: schema.ActionDeny, why: why, decision: decisionID(rand.Uint64())}
	c.denied.Add(1)
	c.count(&a)
	return a
}

func (c *Checker) count(a *answer) {
	c.checked.Add(1)
	c.m.checks.WithLabelValues(a.why).Inc()
	if a.would != "" {
		c.m.would.WithLabelValues(a.weighed.WouldWhy).Inc()
	}
}

// oncePerMinute allows one log line a minute.
type oncePerMinute struct{ next atomic.Int64 }

func (e *oncePerMinute) due(now time.Time) bool {
	next := e.next.Load()
	return now.UnixNano() >= next && e.next.CompareAndSwap(next, now.Add(time.Minute).UnixNano())
}
