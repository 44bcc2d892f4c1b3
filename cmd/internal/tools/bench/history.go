package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/schema/clickhouse"
)

// historyOptions are what -history measures.
type historyOptions struct {
	calls      int
	days       int            // over which the calls are spread
	perInsert  int            // rows of calls in one INSERT
	dir        string         // data of the engine; empty: a new folder, which is removed
	patience   time.Duration  // longest time for one question
	times      int            // that a question is asked warm
	statements bool           // print each statement of a question
	prototype  *regexp.Regexp // names of the candidates to measure also; nil: none
	only       *regexp.Regexp // questions to ask; nil: all
	copied     int            // days by which every row is stored once more earlier, with other ids; 0: not
	copies     int            // how often
	learn      bool           // measure learning instead of questions
	profile    string         // file for a CPU profile of learning; empty: none
	// statementsAtATime is how many statements about slices learning has under way; 0: as many as by default.
	statementsAtATime int
}

const envHistoryEngine = "FLYBALL_BENCH_ENGINE" // set in the child: serve this directory

// serveHistoryEngine runs the engine in this process, if it is the child of a measurement.
func serveHistoryEngine() {
	path := os.Getenv(envHistoryEngine)
	if path == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := engine.DefaultOptions()
	o.Path, o.Databases = path, []string{"*"}
	err := engine.Serve(ctx, o, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// measuredEngine is an engine in a child process.
type measuredEngine struct {
	conn  *clickhouse.Conn
	child *engine.Child // holds the listener and the pipe whose end the engine notices
	cmd   *exec.Cmd
	dir   string

	statements bool // print each statement of a question
}

// measureHistory fills an engine with the calls of 30 days and prints what a call costs there, and how long each question takes.
func measureHistory(o historyOptions) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "flyball-history-")
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
	e.statements = o.statements
	if _, err := clickhouse.Migrate(ctx, e.conn, clickhouse.MigrateOptions{}); err != nil {
		return err
	}
	fmt.Printf("schema version %d\n", clickhouse.Version)
	some, end, err := fillHistory(ctx, e.conn, o.calls, o.days, o.perInsert, false)
	if err != nil {
		return err
	}
	if err := deriveIndexes(ctx, e.conn, some); err != nil {
		return err
	}
	if o.copied > 0 {
		if err := copyHistory(ctx, e.conn, o.copied, o.copies); err != nil {
			return err
		}
		o.calls *= 1 + o.copies
		if some, end, err = storedSample(ctx, e.conn, o.calls); err != nil {
			return err
		}
	}
	if err := fillJudgements(ctx, e.conn, some, end, o.days); err != nil {
		return err
	}
	if err := e.settle(ctx); err != nil {
		return err
	}
	if err := e.printSizes(ctx, o.calls); err != nil {
		return err
	}
	if o.prototype != nil {
		return e.measureCandidates(ctx, o, some, end)
	}
	panels, err := grafanaQuestions(e.child.Addr(), some, end, o.days)
	if err != nil {
		return err
	}
	all := slices.DeleteFunc(append(historyQuestions(some, end), panels...), func(q question) bool {
		return o.only != nil && !o.only.MatchString(q.name)
	})
	return e.ask(ctx, all, o.times, o.patience)
}

func startMeasuredEngine(ctx context.Context, dir string) (*measuredEngine, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child, err := engine.NewChild(exe, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cmd := child.Command()
	cmd.Env = append(cmd.Environ(), envHistoryEngine+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	child.Started()
	conn, err := clickhouse.Open(clickhouse.Options{Addrs: []string{child.Addr()}, Database: "flyball"})
	if err != nil {
		return nil, err
	}
	e := &measuredEngine{conn: conn, child: child, cmd: cmd, dir: dir}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = conn.CheckConnection(ctx); err == nil {
			return e, nil
		}
	}
	e.stop()
	return nil, err
}

func (e *measuredEngine) stop() {
	_ = e.conn.Close()
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	_ = e.cmd.Wait()
	e.child.Close()
}

// settle waits until the engine has no merge under way: a history has been merged as far as the engine does by itself.
func (e *measuredEngine) settle(ctx context.Context) error {
	quiet := 0
	for end := time.Now().Add(10 * time.Minute); quiet < 3 && time.Now().Before(end); time.Sleep(time.Second) {
		n, err := e.conn.QueryText(ctx, "SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if quiet++; strings.TrimSpace(n) != "0" {
			quiet = 0
		}
	}
	return nil
}

func (e *measuredEngine) printSizes(ctx context.Context, calls int) error {
	text, err := e.conn.QueryText(ctx, fmt.Sprintf(`SELECT if(table = '', 'all', table), sum(rows) AS n, count(), round(sum(bytes_on_disk) / %d, 1)
FROM system.parts WHERE active AND database = 'flyball' GROUP BY table WITH ROLLUP HAVING sum(rows) > 100 ORDER BY n DESC`, calls))
	if err != nil {
		return err
	}
	fmt.Printf("\n| table | rows | parts | bytes a call |\n|---|---|---|---|\n")
	for line := range strings.Lines(text) {
		fmt.Println("| " + strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", " | ") + " |")
	}
	return nil
}

// forget makes the next question cold: the engine's caches are emptied, and the kernel is told that it need not keep the files.
func (e *measuredEngine) forget(ctx context.Context) error {
	for _, cache := range []string{"MARK CACHE", "UNCOMPRESSED CACHE", "QUERY CONDITION CACHE", "INDEX MARK CACHE", "PRIMARY INDEX CACHE"} {
		if err := e.conn.RunStatement(ctx, "SYSTEM DROP "+cache); err != nil {
			return err
		}
	}
	return filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a part that a merge has removed
		}
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer f.Close()
		const dontNeed = 4 // POSIX_FADV_DONTNEED
		_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
		return nil
	})
}

// usedSoFar returns the CPU time of all statements of the engine, by its own count.
func (e *measuredEngine) usedSoFar(ctx context.Context) (time.Duration, error) {
	text, err := e.conn.QueryText(ctx, "SELECT sumIf(value, event = 'OSCPUVirtualTimeMicroseconds') FROM system.events")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return time.Duration(n) * time.Microsecond, err
}

// readSoFar returns the rows and bytes that the engine has read for all statements.
func (e *measuredEngine) readSoFar(ctx context.Context) (rows, bytes float64, err error) {
	text, err := e.conn.QueryText(ctx, "SELECT sumIf(value, event = 'SelectedRows'), sumIf(value, event = 'SelectedBytes') FROM system.events")
	if err != nil {
		return 0, 0, err
	}
	a, b, _ := strings.Cut(strings.TrimSpace(text), "\t")
	rows, _ = strconv.ParseFloat(a, 64)
	bytes, _ = strconv.ParseFloat(b, 64)
	return rows, bytes, nil
}
