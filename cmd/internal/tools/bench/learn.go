package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/detect/learn"
	"flyball/schema/clickhouse"
)

// measureLearning fills an engine and learns a baseline of all that is stored, as the role learn does, without publishing it. It
// prints for each kind of statement how often it ran, its time, and the rows and bytes that the engine read.
func measureLearning(o historyOptions) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "flyball-learn-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	e, err := startMeasuredEngine(ctx, o.dir)
	if err != nil {
		return err
	}
	defer e.stop()
	if _, err := clickhouse.Migrate(ctx, e.conn, clickhouse.MigrateOptions{}); err != nil {
		return err
	}
	_, end, err := fillHistory(ctx, e.conn, o.calls, o.days, o.perInsert, true)
	if err != nil {
		return err
	}
	if err := e.settle(ctx); err != nil {
		return err
	}
	db := &measuredDB{engine: e, of: map[string]*statementCost{}}
	opt := learn.DefaultOptions()
	opt.Tenant, opt.DB, opt.Quarantine, opt.Now = "default", db, time.Minute, time.Now
	opt.Statements = o.statementsAtATime
	opt.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	runtime.GC()
	began, cpu, engineCPU := time.Now(), cpuOf(os.Getpid()), cpuOf(e.cmd.Process.Pid)
	peak := watchPeak(ctx, e)
	body, err := learn.New(opt).Learn(ctx, end.Add(2*time.Minute), nil)
	if err != nil {
		return err
	}
	took, own, inEngine := time.Since(began), cpuOf(os.Getpid())-cpu, cpuOf(e.cmd.Process.Pid)-engineCPU
	engineMiB := peak()
	fmt.Printf("\nlearned from %d runs with %d calls of %d agents, of %d stored calls\n", body.Runs, body.Calls, len(body.AgentNames()),
		o.calls)
	fmt.Printf("%.1f s, of which statements %.1f s; CPU: %.1f s of this process, %.1f s of the engine\n", took.Seconds(), db.total().Seconds(),
		own.Seconds(), inEngine.Seconds())
	fmt.Printf("peak memory %d MiB of this process, %d MiB of the engine's, %d MiB of one statement in it\n", peakMiB(os.Getpid()),
		peakMiB(e.cmd.Process.Pid), engineMiB)
	if o.statementsAtATime != 1 {
		fmt.Println("\nstatements ran at the same time: the seconds and the CPU of the kinds below have those of others in them")
	}
	db.print()
	return nil
}

// cpuOf returns the CPU time of a process.
func cpuOf(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// watchPeak watches how much memory statements need. The returned function stops it and returns the largest in MiB.
func watchPeak(ctx context.Context, e *measuredEngine) (stop func() int) {
	ctx, cancel := context.WithCancel(ctx)
	var most int
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			text, err := e.conn.QueryText(ctx, "SELECT intDiv(max(peak_memory_usage), 1048576) FROM system.processes")
			if n, _ := strconv.Atoi(strings.TrimSpace(text)); err == nil {
				most = max(most, n)
			}
			time.Sleep(time.Second) // a question costs the engine some ms
		}
	})
	return func() int {
		cancel()
		done.Wait()
		return most
	}
}

// measuredDB measures the statements of a connection, by kind.
type measuredDB struct {
	engine *measuredEngine

	mu sync.Mutex
	of map[string]*statementCost
}

type statementCost struct {
	kind        string
	n           int
	took        time.Duration
	cpu         time.Duration // of the engine
	rows, bytes float64
}

// Query runs a statement. Its cost is that until the rows are closed.
func (m *measuredDB) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	c := m.began(kindOf(query))
	rows, bytes, _ := m.engine.readSoFar(ctx)
	began, cpu := time.Now(), cpuOf(m.engine.cmd.Process.Pid)
	out, err := m.engine.conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return &measuredRows{out, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		c.took += time.Since(began)
		c.cpu += cpuOf(m.engine.cmd.Process.Pid) - cpu
		after, bytesAfter, _ := m.engine.readSoFar(ctx)
		c.rows, c.bytes = c.rows+after-rows, c.bytes+bytesAfter-bytes
	}}, nil
}

// began counts a statement of a kind.
func (m *measuredDB) began(kind string) *statementCost {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.of[kind]
	if c == nil {
		c = &statementCost{kind: kind}
		m.of[kind] = c
	}
	c.n++
	return c
}

type measuredRows struct {
	driver.Rows
	done func()
}

// Close closes the rows and measures the statement.
func (r *measuredRows) Close() error {
	err := r.Rows.Close()
	r.done()
	return err
}

// kindOf names a statement by a word that only statements of its kind have.
func kindOf(query string) string {
	for _, k := range [...][2]string{{"groupArraySorted", "runs of a window"}, {"quarter", "calls of each hour"},
		{"principal_kind = 'human'", "people's sessions"}, {"c.duration_ns", "calls of selected runs"},
		{"result_digest_basis", "calls of people's sessions"}, {"AS cell", "sizes of runs"}, {"progress", "pin"}, {"baseline_orders", "orders"},
		{"state = 'open'", "incidents"}} {
		if strings.Contains(query, k[0]) {
			return k[1]
		}
	}
	return "others"
}

func (m *measuredDB) total() (all time.Duration) {
	for _, c := range m.of {
		all += c.took
	}
	return all
}

func (m *measuredDB) print() {
	var all []*statementCost
	for _, c := range m.of {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *statementCost) int { return int(b.took - a.took) })
	fmt.Printf("\n| statement | number | seconds | CPU of the engine, s | rows read | MB read |\n|---|---|---|---|---|---|\n")
	for _, c := range all {
		fmt.Printf("| %s | %d | %.2f | %.2f | %.0f | %.0f |\n", c.kind, c.n, c.took.Seconds(), c.cpu.Seconds(), c.rows, c.bytes/1e6)
	}
}
