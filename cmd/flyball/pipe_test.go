package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/report"
)

// asProgram makes the test binary the program itself: arguments are those of the command line.
const asProgram = "FLYBALL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// `flyball … | head -1` ends without an error message when head has read enough.
func TestClosedPipeIsAnError(t *testing.T) {
	for _, args := range [][]string{{"dump-config"}, {"runs", "--help"}, {"version", "-o", "json"}} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close() // nobody reads
		var errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Dir = append(os.Environ(), asProgram+"=1"), write, &errs, t.TempDir()
		err = cmd.Run()
		write.Close()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || errs.Len() > 0 {
			t.Errorf("%q: %v, standard error %q", args, err, errs.String())
		}
	}
}

// A list that is watched is printed again only if it is another one, and the end of watching is no error.
func TestWatchPrintsWhatDidNotChange(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	readings := []string{"a\n", "a\n", "b\n"}
	var out bytes.Buffer
	w := watch{on: true, every: durationValue(minWatch), wait: func(context.Context, time.Duration) {}}
	n := 0
	err := w.run(ctx, printer{formTable, &report.Screen{Writer: &out}}, func(p printer) error {
		if n == len(readings) {
			stop()
			return context.Canceled
		}
		n++
		_, err := io.WriteString(p.out, readings[n-1])
		return err
	})
	if err != nil || out.String() != "a\n\nb\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	out.Reset()
	n = 0
	ctx, stop = context.WithCancel(t.Context())
	err = w.run(ctx, printer{formTable, &report.Screen{Writer: &out, Width: 80}}, func(p printer) error {
		if n == 2 {
			stop()
			return errIncomplete
		}
		n++
		_, err := io.WriteString(p.out, readings[n-1])
		return err
	})
	if clear := "\x1b[H\x1b[2J\x1b[3J"; err != nil || out.String() != clear+"a\n"+clear+"a\n" {
		t.Errorf("on a terminal: %v, %q", err, out.String())
	}
}

// A reading that fails ends the command with its error.
func TestWatchHidesAnError(t *testing.T) {
	w := watch{on: true, every: durationValue(minWatch), wait: func(context.Context, time.Duration) {}}
	failed := errors.New("nothing answers")
	p := printer{formTable, &report.Screen{Writer: io.Discard}}
	if err := w.run(t.Context(), p, func(printer) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
}

// Words of a deployment are completed, and a deployment that does not answer completes nothing and says nothing.
func TestCompletionOfWhatIsStored(t *testing.T) {
	all := listings()
	complete := func(f *fixture, args ...string) string {
		t.Helper()
		code, out, errs := f.exec(append([]string{"__complete", "--config", f.config}, args...)...)
		if code != exitDone || strings.Contains(errs, "rror") {
			t.Errorf("%q: exit %d, %s", args, code, errs)
		}
		return out
	}
	for _, c := range []struct {
		listing string
		args    []string
		want    string
	}{
		{"runs", []string{"run", ""}, runA + "\t"},
		{"runs", []string{"touched", runA[:6]}, runA + "\t"},
		{"runs", []string{"findings", "--run", ""}, runB + "\t"},
		{"findings", []string{"findings", "show", "f_"}, "f_1\t"},
		{"findings", []string{"findings", "verdict", "f_1", ""}, "benign\n"},
		{"breakers", []string{"breakers", "reset", ""}, "run\n"},
		{"breakers", []string{"breakers", "reset", "run", ""}, "r-1\topen since"},
		{"breakers", []string{"breakers", "trip", ""}, "credential\n"},
		{"gates", []string{"breakers", "grant", ""}, "g_1\t"},
		{"runs", []string{"runs", "--level", ""}, "alert\n"},
		{"runs", []string{"findings", "--family", "runaway.l"}, "runaway.loop\n"},
		{"routes-learned", []string{"routes", "undo", ""}, "GET /items/{slug}\tlearned"},
		{"routes-learned", []string{"routes", "clear", ""}, "GET /items/sale\tpinned a page of its own"},
		{"runs", []string{"decode", "--as", "envoy"}, "envoy_json\n"},
		{"runs", []string{"runs", "--family", "runaway.l"}, "runaway.loop\n"},
		{"audit", []string{"audit", "list", "--since", ""}, "yesterday\n"},
		{"runs", []string{"runs", "-o", ""}, "wide\n"},
	} {
		l := all[c.listing]
		f := newFixture(t, l.yaml)
		f.db, f.api = l.db, l.api
		if got := complete(f, c.args...); !strings.Contains(got, c.want) {
			t.Errorf("%q completes %q, without %q", c.args, got, c.want)
		}
	}
	agents := newFixture(t, "")
	agents.db = fakeDB{{in: "SELECT DISTINCT agent_id", rows: [][]any{{"billing/bot"}, {"other/bot"}, {"bad\x1b]0;x\a"}}}}
	if got := complete(agents, "touched", "--agent", "bil"); !strings.HasPrefix(got, "billing/bot\n:") {
		t.Errorf("agents: %q", got)
	}
	if got := complete(newFixture(t, ""), "run", ""); !strings.HasPrefix(got, ":4") {
		t.Errorf("without a database: %q", got)
	}
}
