package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/policy"
	"flyball/schema/clickhouse/query"
	"flyball/schema/schedule"
)

// exceptionLine is an exception of the configuration as it stands now.
type exceptionLine struct {
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
	// where the store cannot be asked.
	Findings *uint64     `json:"findings,omitempty"`
	LastUsed *query.Time `json:"last_used_at,omitempty"`
}

func exceptionsCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "exceptions", Short: "Which findings are meant, by whose word and until when (detect.exceptions)", Args: cobra.NoArgs, RunE: o.asks(func(cmd *cobra.Command, _ []string, format string, c config.Config, db database) error {
		if err := c.ValidateDetect(); err != nil {
			return usage(err)
		}
		lines := exceptionLines(c.Detect, time.Now())
		uses, err := query.ExceptionUses(cmd.Context(), db)
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "when they were used is not known:", err)
		} else {
			for i := range lines {
				u := uses[lines[i].Name]
				if lines[i].Findings = &u.Findings; u.Findings > 0 {
					lines[i].LastUsed = &query.Time{Time: u.LastAt}
				}
			}
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), lines)
		}
		return printExceptions(cmd.OutOrStdout(), lines)
	})}
}

func exceptionLines(d config.Detect, now time.Time) []exceptionLine {
	out := []exceptionLine{}
	compiled := d.PolicyExceptions()
	for i, e := range d.Exceptions {
		out = append(out, exceptionLine{Name: e.Name, Agent: e.Agent, Family: e.Family, Routes: e.RouteTexts(), Hours: e.Hours, Expires: query.Time{Time: compiled[i].ExpiresAt()},
			Approver: e.Approver, Why: e.Why, State: exceptionState(&compiled[i], now)})
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

func printExceptions(w io.Writer, lines []exceptionLine) error {
	return report.Table(w, "EXCEPTION | STATE | EXPIRES (UTC) | AGENT | FAMILY | ROUTES | HOURS | APPROVER | FINDINGS | LAST USED (UTC) | WHY", func(row func(...any)) {
		for _, l := range lines {
			findings, last := "-", "-"
			if l.Findings != nil {
				findings = fmt.Sprint(*l.Findings)
			}
			if l.LastUsed != nil {
				last = l.LastUsed.UTC().Format(time.DateTime)
			}
			row(l.Name, strings.ReplaceAll(l.State, "_", " "), l.Expires.UTC().Format(time.DateTime), l.Agent, l.Family, anyOr(strings.Join(l.Routes, ", ")), hoursText(l.Hours), l.Approver, findings, last, l.Why)
		}
	})
}

func anyOr(s string) string {
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
