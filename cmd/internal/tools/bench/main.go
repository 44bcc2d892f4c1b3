// Command bench measures the whole path on this machine: Envoy JSON waiting on
// the embedded broker, through ingest, detect and store in one process, into
// the embedded engine; then ClickHouse's own Kafka engine on the same topic,
// for comparison. It prints figures and ratios, and does not judge them; only
// -soak says whether what it measured was flat.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

func main() {
	serveHistoryEngine()
	n := flag.Int("n", 1_000_000, "records")
	agents := flag.Int("agents", 10_000, "agents")
	runs := flag.Int("runs", 3, "runs; the medians are what counts")
	peer := flag.Bool("peer", true, "run ClickHouse's own Kafka engine on the same topic, too")
	scored := flag.Bool("scored", true, "learn a baseline from a tenth of the agents first, so that every call is scored")
	ordinary := flag.Bool("ordinary", false, "the runs of -soak, at its -rate and with its -soak-agents, instead of one long run an agent")
	binary := flag.String("flyball", "bin/flyball", "the binary to measure")
	var past historyOptions
	flag.IntVar(&past.calls, "history", 0, "fill an engine with so many calls, and measure every question, and nothing else")
	flag.IntVar(&past.days, "days", 30, "with -history: days over which the calls are spread")
	flag.IntVar(&past.perInsert, "insert-rows", rowsPerInsert,
		"with -history: rows of calls in one INSERT: with fewer calls a day, fewer rows leave as many parts")
	flag.StringVar(&past.dir, "data", "", "with -history: folder of the engine's data; default: a new one, which is removed")
	flag.IntVar(&past.times, "times", 9, "with -history: times that a question is asked warm; cold a third as often")
	flag.DurationVar(&past.patience, "patience", 20*time.Second, "with -history: longest time for one question")
	const candidatesOnly = "with -history: measure the candidate tables whose names this expression matches, instead of today's"
	flag.Func("prototype", candidatesOnly, func(s string) (err error) {
		past.prototype, err = regexp.Compile(s)
		return err
	})
	flag.BoolVar(&past.statements, "statements", false, "with -history: print the time of each statement, too")
	flag.Func("only", "with -history: expression of the names of the questions to ask", func(s string) (err error) {
		past.only, err = regexp.Compile(s)
		return err
	})
	flag.BoolVar(&past.learn, "learn", false, "with -history: learn a baseline instead of asking questions")
	flag.StringVar(&past.profile, "learn-profile", "", "with -learn: file for a CPU profile")
	flag.IntVar(&past.statementsAtATime, "learn-statements", 0, "with -learn: statements about slices at a time; 0: the default")
	flag.IntVar(&past.copied, "copied", 0,
		"with -history: days by which every stored call is stored once more, earlier and with other ids; 0: not")
	flag.IntVar(&past.copies, "copies", 1, "with -copied: how often")
	invented := flag.String("flood", "", "measure a flood of invented \"agents\" or \"runs\" beside ordinary traffic, and nothing else")
	backlogs := flag.Bool("flat", false,
		"measure backlogs of 0.2, 0.8 and 4 million records, one long run an agent, and nothing else")
	o := soakOptions{every: 10 * time.Second}
	flag.DurationVar(&o.duration, "soak", 0,
		"measure ordinary runs at -rate for so long, and nothing else; exit status 1: not shown to be flat")
	flag.IntVar(&o.traffic.rate, "rate", 3000, "-soak: calls a second")
	flag.IntVar(&o.traffic.agents, "soak-agents", 112, "-soak: agents")
	flag.IntVar(&o.traffic.calls, "soak-calls", 8, "-soak: calls of a run, on average")
	flag.DurationVar(&o.traffic.pause, "soak-pause", 4500*time.Millisecond, "-soak: time between two calls of a run, on average")
	flag.DurationVar(&o.gap, "gap", time.Minute, "-soak: detect.run_gap, session_gap and conversation_gap")
	flag.DurationVar(&o.lateness, "lateness", 5*time.Minute, "-soak: detect.lateness")
	flag.BoolVar(&o.restart, "restart", false, "-soak: stop and start the process in the middle")
	flag.StringVar(&o.profiles, "profiles", "", "folder for CPU, heap and allocation profiles: of a backlog, or after the last row of -soak")
	flag.DurationVar(&o.past, "past", time.Minute, "-soak: for how long runs begin of the traffic from which the baseline is learned; 0: none")
	flag.Parse()
	switch {
	case past.calls > 0 && past.learn:
		exitOn(measureLearning(past))
		return
	case past.calls > 0:
		exitOn(measureHistory(past))
		return
	case *invented != "":
		exitOn(flood(*binary, *invented, *n, *agents, max(*runs, 3)))
		return
	case o.duration > 0:
		ok, err := soak(*binary, o)
		exitOn(err)
		if !ok {
			os.Exit(1)
		}
		return
	case *backlogs:
		// The same baseline for all of them.
		for _, size := range []int{200_000, 800_000, 4_000_000} {
			b := backlog{n: size, agents: *agents, learned: pastOf(*scored, 200_000), peer: *peer, profiles: o.profiles}
			exitOn(b.repeat(*binary, *runs))
		}
		return
	}
	b := backlog{n: *n, agents: *agents, learned: pastOf(*scored, *n), peer: *peer, profiles: o.profiles}
	if *ordinary {
		b.ordinary, b.past = &o.traffic, o.past
	}
	exitOn(b.repeat(*binary, *runs))
}

// pastOf is how many calls are learned from before n are scored. More of them would measure the learning of a large past, not a backlog.
func pastOf(scored bool, n int) int {
	if !scored {
		return 0
	}
	return min(n/10, 200_000)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}
