package query

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flyball/schema"
)

// Finding is a line of findings, as commands and the control API tell it.
type Finding struct {
	ID           string                `json:"finding_id"`
	RunID        string                `json:"run_id"`
	AgentID      string                `json:"agent_id,omitempty"`
	Family       string                `json:"family"`
	Level        string                `json:"level"`
	State        string                `json:"state"`
	OpenedAt     time.Time             `json:"opened_at"`
	UpdatedAt    time.Time             `json:"updated_at"`
	Score        float64               `json:"score"`
	ExpectedRate float64               `json:"expected_rate"`
	Delay        uint32                `json:"delay_calls"`
	Exposure     schema.Exposure       `json:"exposure"`
	Summary      string                `json:"summary"`
	Evidence     []schema.Contribution `json:"evidence"`
}

// Findings are the latest ones, the last changed first.
func Findings(ctx context.Context, db DB, limit int) ([]Finding, error) {
	return findings(ctx, db, "", limit)
}

// FindingOf is one finding by its id.
func FindingOf(ctx context.Context, db DB, id string) (Finding, error) {
	list, err := findings(ctx, db, "WHERE finding_id = {id:String}", 1, named("id", id))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("finding %q: %w", id, ErrNotFound)
	}
	if err != nil {
		return Finding{}, err
	}
	return list[0], nil
}

func findings(ctx context.Context, db DB, where string, limit int, params ...any) ([]Finding, error) {
	rows, err := db.Query(ctx, fmt.Sprintf(`SELECT finding_id, toString(run_id), agent_id, family, toString(level), state, opened_at, updated_at, score, expected_rate,
delay_calls, exposure_calls, exposure_irreversible, summary, evidence FROM findings %s ORDER BY updated_at DESC LIMIT %d`, where, limit), params...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Finding{}
	for rows.Next() {
		var f Finding
		var evidence string
		if err := rows.Scan(&f.ID, &f.RunID, &f.AgentID, &f.Family, &f.Level, &f.State, &f.OpenedAt, &f.UpdatedAt, &f.Score, &f.ExpectedRate,
			&f.Delay, &f.Exposure.Calls, &f.Exposure.Irreversible, &f.Summary, &evidence); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(evidence), &f.Evidence); err != nil {
			return nil, fmt.Errorf("evidence of %s: %w", f.ID, err)
		}
		out = append(out, f)
	}
	return out, rows.Err()
}
