package check

import (
	"fmt"
	"math/bits"
	"sync"
	"time"

	"flyball/schema"
)

// lateUses holds the run keys that are used after their task has ended. Each has a finding, which
// is published at the first call, whenever the number of calls has doubled, and after lateUseQuiet
// without calls.
type lateUses struct {
	mu     sync.Mutex
	byTask map[string]*schema.Finding
}

const (
	// maxLateTasks is how many tasks are kept.
	maxLateTasks = 10_000
	// lateUseQuiet is the time without a call after which the finding is closed.
	lateUseQuiet = 10 * time.Minute
)

func newLateUses() *lateUses { return &lateUses{byTask: map[string]*schema.Finding{}} }

// note counts a call after the end of its task, at the log's time. It returns the finding
// if it must be published, else nil.
func (l *lateUses) note(call *schema.Call, task *schema.Task, run schema.RunID, clock int64) *schema.Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.byTask[task.ID]
	if f == nil {
		if len(l.byTask) >= maxLateTasks {
			return nil
		}
		f = &schema.Finding{ID: schema.FindingID(run, schema.FamilyAfterTask), Tenant: call.Tenant, RunID: run, RunKey: call.RunKey,
			AgentID: call.AgentID, AgentTrust: call.AgentTrust, CredentialID: call.CredentialID, PrincipalID: call.PrincipalID,
			Family: schema.FamilyAfterTask, Level: schema.LevelAlert, OpenedAt: clock, OnsetAt: clock, Evidence: []schema.Contribution{}}
		l.byTask[task.ID] = f
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
	f.Summary = fmt.Sprintf("%s is used after its task %s has ended: %d calls so far, now %s %s",
		call.AgentID, task.ID, f.DelayCalls, call.Method, call.Route)
	published := *f
	return &published
}

// close closes and returns the findings of keys that were not used for lateUseQuiet, at
// the log's time.
func (l *lateUses) close(clock int64) (closed []*schema.Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, f := range l.byTask {
		if clock-f.UpdatedAt < int64(lateUseQuiet) {
			continue
		}
		delete(l.byTask, id)
		f.Version, f.State, f.Reason = uint64(clock), schema.FindingClosed, "no call for ten minutes"
		closed = append(closed, f)
	}
	return closed
}
