package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// CallLine is a call as a line of a log.
type CallLine struct {
	ID, Run, Agent, Credential        string
	At                                time.Time
	Method, Path, Operation, Resource string
	Outcome, Effect, Reversibility    string
	Observer, DeniedBy, Error         string
	Status                            uint16
}

// CallLog returns the newest counted calls of a run, or of an agent in a window, the latest first. Without both it returns an error.
func CallLog(ctx context.Context, db DB, run *Run, agent string, win Window, limit int) ([]CallLine, error) {
	own := &where{}
	var err error
	switch {
	case run != nil:
		own.ofRun(run)
	case agent != "":
		if own, err = callsOfName(ctx, db, Subject{"agent", agent}, win); err != nil {
			return nil, err
		}
		own.between("start_time", "start_time", win.Since, win.Until)
	default:
		return nil, fmt.Errorf("a log of calls is of a run or of an agent")
	}
	own.add("counted")
	out := []CallLine{}
	return out, each(ctx, own.bind(db), "log of calls", fmt.Sprintf(`SELECT record_id, toString(run_id), agent_id, credential_id, start_time, method, path,
operation, arrayStringConcat(arraySlice(resources, 1, 20), ', '), toString(outcome), toString(effect), toString(reversibility), observer,
denied_by, error_message, status FROM calls %s ORDER BY start_time DESC, record_id LIMIT %d`, own.String(), limit), own.params,
		func(r driver.Rows) error {
			var v CallLine
			err := r.Scan(&v.ID, &v.Run, &v.Agent, &v.Credential, &v.At, &v.Method, &v.Path, &v.Operation, &v.Resource, &v.Outcome, &v.Effect,
				&v.Reversibility, &v.Observer, &v.DeniedBy, &v.Error, &v.Status)
			out = append(out, v)
			return err
		})
}

// BaselineChange is a version of a baseline, which is of all of its agents.
type BaselineChange struct {
	At      time.Time
	Version string
	Agents  uint64
}

// BaselineChanges returns the versions of baselines that were made in a window, the latest first.
func BaselineChanges(ctx context.Context, db DB, win Window, limit int) ([]BaselineChange, error) {
	var w where
	w.between("made_at", "made_at", win.Since, win.Until)
	out := []BaselineChange{}
	return out, each(ctx, db, "baselines", fmt.Sprintf(`SELECT max(made_at) AS at, baseline_version, uniqExact(name) FROM baselines %s
GROUP BY baseline_version ORDER BY at DESC, baseline_version DESC LIMIT %d`, w.String(), limit), w.params, func(r driver.Rows) error {
		var v BaselineChange
		err := r.Scan(&v.At, &v.Version, &v.Agents)
		out = append(out, v)
		return err
	})
}

// StoreAge returns the times of the newest stored call and finding; zero: none is stored.
func StoreAge(ctx context.Context, db DB) (call, finding time.Time, err error) {
	if call, err = newestStored(ctx, db); err != nil {
		return call, finding, err
	}
	err = each(ctx, db, "the newest finding", "SELECT max(updated_at) FROM findings", nil,
		func(r driver.Rows) error { return r.Scan(&finding) })
	if finding.Unix() == 0 {
		finding = time.Time{}
	}
	return call, finding, err
}
