// Command flyball watches the API traffic of AI agents from the side of who
// owns the APIs. See README.md.
//
// This package has the commands: their flags, what they read from the control API and from
// the database, and exit statuses. Each file is one group of commands. It does not join
// the parts of a role, which cmd/internal/app does, nor lay out what is printed, which
// cmd/internal/report does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
)

// Exit statuses.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitIncomplete = 3 // done, but something could not be read or a report is incomplete
)

// exitError carries an exit status with a message; an empty message prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

var errIncomplete = &exitError{exitIncomplete, errors.New("incomplete")}

// gcPercent lets the heap grow to four times what is live before it is
// collected: each collection uses half a core of two for some 20 ms, and a denial
// waits during it. Roles lower it while their heap is large. GOGC and GOMEMLIMIT in the
// environment override both.
const gcPercent = 300

// minProcs is how many goroutines run at a time on a small machine, more than
// it has cores: then the operating system switches threads every few milliseconds,
// while the runtime lets a goroutine that computes run for ten. With an agent at 20,000
// calls a second on two cores, the p99 to a denial was 19 to 25 ms with two and
// 8 to 15 ms with four. GOMAXPROCS in the environment overrides it.
const minProcs = 4

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < minProcs {
		runtime.GOMAXPROCS(minProcs)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		// The first signal stops the roles after they have finished; a second one ends the process at once.
		<-ctx.Done()
		stop()
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		<-again
		os.Exit(exitFailed)
	}()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	return exitStatus(app.ExplainRefusal(root.ExecuteContext(ctx)), os.Stderr)
}

// exitStatus is the exit status of a command's error, which it prints.
func exitStatus(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errIncomplete) {
		return exitIncomplete
	}
	fmt.Fprintf(stderr, "flyball: %s\n", report.TextLines(err.Error()))
	var ee *exitError
	if errors.As(err, &ee) {
		return ee.code
	}
	if isAmbiguous(err) {
		return exitUsage
	}
	return exitFailed
}
