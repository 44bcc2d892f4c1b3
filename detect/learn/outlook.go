package learn

import (
	"context"
	"fmt"
	"slices"
	"time"

	"flyball/detect/model/baseline"
)

// Outlook says how far the stored runs are from the first baseline of a tenant. Limits on runs of one agent and orders about
// agents are left out of account: they matter with more runs than a first baseline needs.
type Outlook struct {
	Ready      int               // clean runs that can be learned from now
	Quarantine int               // clean runs that ended, and can be learned from after the quarantine
	Open       int               // runs that go on, or ended less than an hour ago
	Excluded   map[string]uint64 // other runs, by reason
	// EnoughAt is when the quarantine of as many runs as are needed is over, zero: more runs have to end first.
	EnoughAt time.Time
}

// outlook counts the runs of a slice by the reason why they are not learned from. It has the ends of the %d oldest clean runs
// in quarantine. %s are the facts.
const outlook = `SELECT why, count(),
  groupArraySortedIf(%d)(toUnixTimestamp64Nano(last_at), why = '` + baseline.ExcludedYoung + `' AND NOT alarmed)
FROM (%s) GROUP BY why ORDER BY why`

// maxNeeded bounds the runs whose ends ReadOutlook reads of a slice.
const maxNeeded = 100_000

// OutlookOptions are what an outlook depends on.
type OutlookOptions struct {
	Tenant             string
	Needed             int // runs of a first baseline
	Window, Quarantine time.Duration
	Now                time.Time
}

// ReadOutlook returns the outlook for a first baseline of at least o.Needed runs, from runs of a time before now that are older than the
// quarantine.
func ReadOutlook(ctx context.Context, db DB, o OutlookOptions) (*Outlook, error) {
	w := Window{Tenant: o.Tenant, Since: o.Now.Add(-o.Window), Until: o.Now.Add(-o.Quarantine)}
	db = Quietly(db)
	parts, err := planSlices(ctx, db, w, callsPerSlice)
	if err != nil {
		return nil, err
	}
	out := &Outlook{Excluded: map[string]uint64{}}
	var ends []int64
	for i := range parts {
		sql := fmt.Sprintf(outlook, min(max(o.Needed, 1), maxNeeded), fmt.Sprintf(facts, parts[i].runs()))
		err := each(ctx, db, "runs to learn from", sql, w.params(), func(scan func(...any) error) error {
			var why string
			var runs uint64
			var young []int64
			if err := scan(&why, &runs, &young); err != nil {
				return err
			}
			switch why {
			case "":
				out.Ready += int(runs)
			case baseline.ExcludedOpen:
				out.Open += int(runs)
			case baseline.ExcludedYoung:
				out.Quarantine += len(young)
				ends = append(ends, young...)
				out.Excluded[baseline.ExcludedAlarmed] += runs - uint64(len(young))
			default:
				out.Excluded[why] += runs
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(ends)
	switch missing := o.Needed - out.Ready; {
	case missing <= 0:
		out.EnoughAt = o.Now
	case missing <= len(ends):
		out.EnoughAt = time.Unix(0, ends[missing-1]).Add(o.Quarantine)
	}
	return out, nil
}
