package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// question is one question with several subjects; ask asks it about the k-th.
type question struct {
	name string
	ask  func(ctx context.Context, db query.DB, k int) error
}

// ask asks every question as often as times says when the caches are warm, and a third as often when they are cold, as long as the
// patience for all of them lasts. It prints a line for each question.
func (e *measuredEngine) ask(ctx context.Context, all []question, times int, patience time.Duration) error {
	fmt.Printf("\n| question | warm p50, s | p95 | cold p50 | p95 | engine CPU, s | rows read | MB read |\n" +
		"|---|---|---|---|---|---|---|---|\n")
	for _, q := range all {
		// Once for what the engine reads, which is the first cold time also.
		if err := e.forget(ctx); err != nil {
			return err
		}
		rows, bytes, err := e.readSoFar(ctx)
		if err != nil {
			return err
		}
		first, _, err := e.time(ctx, q, 0, patience)
		if err != nil {
			fmt.Printf("| %s | %v after %.1f s |\n", q.name, err, first.Seconds())
			continue
		}
		rows2, bytes2, err := e.readSoFar(ctx)
		if err != nil {
			return err
		}
		cold := []time.Duration{first}
		for k := 1; k < times/3 && time.Duration(k)*first < patience; k++ {
			if err := e.forget(ctx); err != nil {
				return err
			}
			if t, _, err := e.time(ctx, q, k, patience); err == nil {
				cold = append(cold, t)
			}
		}
		var warm, used []time.Duration
		for k := 0; k < times && (k == 0 || time.Duration(k)*first < patience); k++ {
			if t, c, err := e.time(ctx, q, k, patience); err == nil {
				warm, used = append(warm, t), append(used, c)
			}
		}
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %.3g | %.3g |\n", q.name, share(warm, 0.5), share(warm, 0.95), share(cold, 0.5),
			share(cold, 0.95),
			share(used, 0.5), rows2-rows, (bytes2-bytes)/1e6)
	}
	return nil
}

// time asks a question once; used is the CPU time of the engine.
func (e *measuredEngine) time(ctx context.Context, q question, k int, patience time.Duration) (took, used time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before, err := e.usedSoFar(ctx)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	var db query.DB = e.conn
	if e.statements {
		db = statementLog{db, e}
	}
	err = q.ask(ctx, db, k)
	took = time.Since(began)
	if after, failed := e.usedSoFar(ctx); failed == nil {
		used = after - before
	}
	return took, used, err
}

// share returns a quantile in seconds.
func share(v []time.Duration, p float64) string {
	if len(v) == 0 {
		return "–"
	}
	v = slices.Sorted(slices.Values(v))
	return fmt.Sprintf("%.3f", v[min(int(p*float64(len(v))), len(v)-1)].Seconds())
}

// historyQuestions are the questions of the commands and of Grafana's panels, about the callers of some stored calls: who makes many
// calls is asked about more often. end is the time of the last call.
func historyQuestions(some []schema.Call, end time.Time) []question {
	at := func(k int) *schema.Call { return &some[k%len(some)] }
	ago := func(d time.Duration) time.Time { return end.Add(-d) }
	const hour, day = time.Hour, 24 * time.Hour
	var all []question
	add := func(name string, ask func(ctx context.Context, db query.DB, k int) error) {
		all = append(all, question{name, ask})
	}
	find := func(kind string, term func(c *schema.Call) string) {
		add("find "+kind, func(ctx context.Context, db query.DB, k int) error {
			_, err := query.Find(ctx, db, term(at(k)), 20)
			return err
		})
	}
	touched := func(name, kind string, back time.Duration, value func(c *schema.Call) string) {
		add(name, func(ctx context.Context, db query.DB, k int) error {
			var w query.Window
			if back > 0 {
				w.Since = ago(back)
			}
			_, err := query.TouchedBy(ctx, db, query.Subject{Kind: kind, Value: value(at(k))}, nil, w)
			return err
		})
	}
	run := func(ctx context.Context, db query.DB, k int) (query.Run, error) {
		return query.ResolveRun(ctx, db, at(k).RunID.String())
	}
	agent := func(c *schema.Call) string { return c.AgentID }
	person := func(c *schema.Call) string {
		for i := range some {
			if c.PrincipalID == "" {
				c = &some[i]
			}
		}
		return c.PrincipalID
	}

	add("runs of 6 h, 20 newest", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.Runs(ctx, db, query.RunFilter{Since: ago(6 * hour), Limit: 20})
		return err
	})
	add("runs of an agent, 24 h", func(ctx context.Context, db query.DB, k int) error {
		_, err := query.Runs(ctx, db, query.RunFilter{Agent: at(k).AgentID, Since: ago(day)})
		return err
	})
	add("run by id", func(ctx context.Context, db query.DB, k int) error {
		_, err := run(ctx, db, k)
		return err
	})
	add("run by key", func(ctx context.Context, db query.DB, k int) error {
		_, err := query.ResolveRun(ctx, db, keyed(some, k).RunKey)
		return err
	})
	add("run by the start of its id", func(ctx context.Context, db query.DB, k int) error {
		_, err := query.ResolveRun(ctx, db, at(k).RunID.String()[:8])
		return err
	})
	add("run in full", func(ctx context.Context, db query.DB, k int) error {
		r, err := run(ctx, db, k)
		if err == nil {
			_, err = query.RunInFull(ctx, db, r, 10_000)
		}
		return err
	})
	add("touched by a run", func(ctx context.Context, db query.DB, k int) error {
		r, err := run(ctx, db, k)
		if err == nil {
			_, err = query.TouchedBy(ctx, db, query.Subject{Kind: "run", Value: r.RunID}, &r, query.Window{})
		}
		return err
	})
	touched("touched by an agent, 6 h", "agent", 6*hour, agent)
	touched("touched by an agent, 24 h", "agent", day, agent)
	touched("touched by a credential, 24 h", "credential", day, func(c *schema.Call) string { return c.CredentialID })
	touched("touched by a principal, 24 h", "principal", day, person)
	touched("touched by a principal, 30 d", "principal", 0, person)
	touched("who touched a resource, 30 d", "resource", 0, func(c *schema.Call) string { return c.Resources[0].String() })
	touched("who touched a resource, 24 h", "resource", day, func(c *schema.Call) string { return c.Resources[0].String() })
	find("an address", func(c *schema.Call) string { return c.ClientIP.String() })
	find("a request id", func(c *schema.Call) string { return c.RequestID })
	find("a trace", func(c *schema.Call) string { return fmt.Sprintf("%x", c.TraceID) })
	find("a host", func(c *schema.Call) string { return c.Host })
	find("a resource", func(c *schema.Call) string { return c.Resources[0].String() })
	find("an agent", agent)
	find("nothing stored", func(c *schema.Call) string { return "nothing-" + c.RequestID })
	add("near a misspelt name", func(ctx context.Context, db query.DB, k int) error {
		_, err := query.NearTo(ctx, db, query.Subject{Kind: "agent", Value: at(k).AgentID + "x"})
		return err
	})
	add("agents, 24 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.Agents(ctx, db, ago(day), end)
		return err
	})
	add("agents, 30 d", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.Agents(ctx, db, time.Time{}, time.Time{})
		return err
	})
	add("routes, 24 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.Routes(ctx, db, ago(day), end, 1000)
		return err
	})
	add("start-here, 24 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.StartHere(ctx, db, ago(day), end, 100)
		return err
	})
	add("hygiene, 24 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.HygieneFindings(ctx, db, ago(day), end)
		return err
	})
	add("coverage, 24 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.ReadCoverage(ctx, db, ago(day), end)
		return err
	})
	add("usage of an agent, 30 d", func(ctx context.Context, db query.DB, k int) error {
		_, err := query.Usage(ctx, db, query.Caller{Agent: at(k).AgentID}, time.Time{}, time.Time{})
		return err
	})
	add("stitching, 30 d by day", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.Stitching(ctx, db, ago(30*day), end, "day")
		return err
	})
	add("findings, 24 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.FindingsMatching(ctx, db, query.FindingFilter{Since: ago(day), Until: end, Limit: 200})
		return err
	})
	add("panel: runs of 6 h", func(ctx context.Context, db query.DB, _ int) error {
		_, err := query.Runs(ctx, db, query.RunFilter{Since: ago(6 * hour), Until: end, Limit: 201})
		return err
	})
	worst := func(name string, back time.Duration, limit int, agents query.Names) {
		add(name, func(ctx context.Context, db query.DB, _ int) error {
			_, _, err := query.WorstRuns(ctx, db, query.RunFilter{Since: ago(back), Until: end, Limit: limit, Agents: agents})
			return err
		})
	}
	worst("worst runs of 6 h", 6*hour, 100, nil)
	worst("worst runs of 6 h, 5,000", 6*hour, 5000, nil)
	worst("worst runs of 6 h, agent =~", 6*hour, 100, query.Names{{Pattern: ".*1"}})
	worst("worst runs of 28 d", 28*day, 100, nil)
	worst("worst runs of 28 d, agent =~", 28*day, 100, query.Names{{Pattern: ".*1"}})
	for _, back := range []time.Duration{6 * hour, day, 30 * day} {
		add(fmt.Sprintf("panel: calls of %.0f h", back.Hours()), func(ctx context.Context, db query.DB, _ int) error {
			_, err := query.CallsOverTime(ctx, db, "", ago(back), end, back/300, 20_000)
			return err
		})
	}
	add("panel: calls of an agent, 24 h", func(ctx context.Context, db query.DB, k int) error {
		_, err := query.CallsOverTime(ctx, db, at(k).AgentID, ago(day), end, day/300, 20_000)
		return err
	})
	add("number of stored calls", func(ctx context.Context, db query.DB, _ int) error {
		n, err := query.CountCalls(ctx, db)
		if err == nil && n == 0 {
			err = errors.New("none")
		}
		return err
	})
	return all
}

// keyed returns the k-th of some calls, or the next one whose run has a key.
func keyed(some []schema.Call, k int) *schema.Call {
	for i := range some {
		if c := &some[(k+i)%len(some)]; c.RunKey != "" {
			return c
		}
	}
	return &some[0]
}

// statementLog prints what each statement of a question takes.
type statementLog struct {
	query.DB
	e *measuredEngine
}

func (l statementLog) Query(ctx context.Context, sql string, args ...any) (driver.Rows, error) {
	before, _ := l.e.usedSoFar(ctx)
	began := time.Now()
	rows, err := l.DB.Query(ctx, sql, args...)
	took := time.Since(began)
	after, _ := l.e.usedSoFar(ctx)
	text := strings.Join(strings.Fields(sql), " ")
	fmt.Printf("    %.3f s, %.3f s of CPU: %s\n", took.Seconds(), (after - before).Seconds(), text[:min(len(text), 180)])
	return rows, err
}
