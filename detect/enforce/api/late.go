package api

import (
	"context"
	"fmt"
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// lateUses are run keys that are used after their task has ended: a finding, told
// at the first call, at every doubling, and when nobody has called for a while.
type lateUses struct {
	mu sync.Mutex
	by map[string]*schema.Finding
}

const (
	mostLate  = 10_000
	lateQuiet = int64(10 * 60 * 1e9)
)

func newLateUses() *lateUses { return &lateUses{by: map[string]*schema.Finding{}} }

// note takes in a call after its task; the finding is returned when it is told of.
func (l *lateUses) note(call *schema.Call, task *schema.Task, run schema.RunID, clock int64) *schema.Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.by[task.ID]
	if f == nil {
		if len(l.by) >= mostLate {
			return nil
		}
		f = &schema.Finding{ID: schema.FindingID(run, schema.FamilyAfterTask), Tenant: call.Tenant, RunID: run, RunKey: call.RunKey, AgentID: call.AgentID, AgentTrust: call.AgentTrust,
			CredentialID: call.CredentialID, PrincipalID: call.PrincipalID, Family: schema.FamilyAfterTask, Level: schema.LevelAlert, OpenedAt: clock, OnsetAt: clock, Evidence: []schema.Contribution{}}
		l.by[task.ID] = f
	}
	f.UpdatedAt = clock
	if f.DelayCalls++; call.Reversibility == schema.Irreversible {
		f.Exposure.Irreversible++
	}
	f.Exposure.Calls = f.DelayCalls
	if bits.OnesCount64(f.DelayCalls) != 1 {
		return nil
	}
	f.Version = uint64(clock)
	f.Summary = fmt.Sprintf("%s is used after its task %s has ended: %d calls so far, now %s %s", call.AgentID, task.ID, f.DelayCalls, call.Method, call.Route)
	told := *f
	return &told
}

// over closes what nobody has used for a while.
func (l *lateUses) over(clock int64) (closed []*schema.Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, f := range l.by {
		if clock-f.UpdatedAt < lateQuiet {
			continue
		}
		delete(l.by, id)
		f.Version, f.State, f.Reason = uint64(clock), schema.FindingClosed, "no call for ten minutes"
		closed = append(closed, f)
	}
	return closed
}

// tell writes a finding of this point's own.
func (c *Control) tell(f *schema.Finding) {
	if f == nil || c.out == nil {
		return
	}
	event := schema.FindingEvent(f)
	value, err := wire.EncodeEvent(&event)
	if err != nil {
		c.o.Logger.Error("finding not written", "error", err)
		return
	}
	c.out.TryProduce(context.Background(), &kgo.Record{Topic: wire.EventsTopic, Key: []byte(f.ID), Value: value}, c.faults.written("finding"))
}
