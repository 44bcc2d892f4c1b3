package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/policy"
	"flyball/schema/clickhouse/query"
	"flyball/schema/schedule"
)

// fileException is an exception of the configuration as it is now.
type fileException struct {
	Name     string          `json:"name"`
	Agent    string          `json:"agent"`
	Family   string          `json:"family"`
	Routes   []string        `json:"routes,omitempty"`
	Hours    *schedule.Hours `json:"hours,omitempty"`
	Expires  query.Time      `json:"expires"`
	Approver string          `json:"approver"`
	Why      string          `json:"why"`
	State    string          `json:"state"` // in_force, out_of_hours, expired
	// Findings that it covers, and the last call that changed one of them; absent
	// if the database does not answer.
	Findings *uint64     `json:"findings,omitempty"`
	LastUsed *query.Time `json:"last_used_at,omitempty"`
}

func fileExceptionsCommand(o *options) *cobra.Command {
	l := listing[fileException]{columns: fileExceptionColumns,
		empty: "The configuration file has no exceptions (detect.exceptions).", query: func(r *request) ([]fileException, error) {
			c, err := r.fileConfig()
			if err != nil {
				return nil, err
			}
			db, err := r.database()
			if err != nil {
				return nil, err
			}
			if err := c.ValidateDetect(); err != nil {
				return nil, usage(err)
			}
			list := fileExceptions(c.Detect, r.now)
			uses, err := query.ExceptionUses(r.ctx, db)
			if err != nil {
				report.Printf(r.stderr, "when they were used is not known: %v\n", err)
				return list, nil
			}
			for i := range list {
				u := uses[list[i].Name]
				if list[i].Findings = &u.Findings; u.Findings > 0 {
					list[i].LastUsed = &query.Time{Time: u.LastAt}
				}
			}
			return list, nil
		}}
	return &cobra.Command{Use: "exceptions", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "List the exceptions of the configuration file: what, who allowed it, until when (detect.exceptions)"}
}

func fileExceptions(d config.Detect, now time.Time) []fileException {
	out := []fileException{}
	compiled := d.PolicyExceptions()
	for i, e := range d.Exceptions {
		out = append(out, fileException{Name: e.Name, Agent: e.Agent, Family: e.Family, Routes: e.RouteTexts(), Hours: e.Hours,
			Expires: query.Time{Time: compiled[i].ExpiresAt()}, Approver: e.Approver, Why: e.Why, State: exceptionState(&compiled[i], now)})
	}
	return out
}

func exceptionState(e *policy.Exception, now time.Time) string {
	switch {
	case now.UnixNano() >= e.Expires:
		return "expired"
	case !e.ActiveAt(now.UnixNano()):
		return "out_of_hours"
	}
	return "in_force"
}

var fileExceptionColumns = []report.Column[fileException]{
	{Head: "EXCEPTION", Cell: func(l *fileException) any { return l.Name }},
	{Head: "STATE", Cell: func(l *fileException) any { return strings.ReplaceAll(l.State, "_", " ") }},
	{Head: "EXPIRES (UTC)", Cell: func(l *fileException) any { return report.When(l.Expires.Time) }},
	{Head: "AGENT", Cell: func(l *fileException) any { return l.Agent }},
	{Head: "FAMILY", Cell: func(l *fileException) any { return l.Family }},
	{Head: "ROUTES?", Cell: func(l *fileException) any { return anyIfEmpty(strings.Join(l.Routes, ", ")) }},
	{Head: "HOURS???", Cell: func(l *fileException) any { return hoursText(l.Hours) }},
	{Head: "APPROVER??", Cell: func(l *fileException) any { return l.Approver }},
	{Head: "FINDINGS", Cell: func(l *fileException) any {
		if l.Findings == nil {
			return "-"
		}
		return *l.Findings
	}},
	{Head: "LAST USED (UTC)??", Cell: func(l *fileException) any {
		if l.LastUsed == nil {
			return "-"
		}
		return report.When(l.LastUsed.Time)
	}},
	{Head: "WHY", Cell: func(l *fileException) any { return l.Why }},
}

func anyIfEmpty(s string) string {
	if s == "" {
		return "any"
	}
	return s
}

func hoursText(h *schedule.Hours) string {
	if h == nil {
		return "any"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s to %s %s", strings.Join(h.Days, " "), h.From, h.To, h.Timezone))
}
