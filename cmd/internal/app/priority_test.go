package app

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flyball/detect/learn"
)

// All threads of a process that learns have the low priority, and those that begin afterwards, too. In another process: a
// priority is not given back.
func TestLearningHasThePriorityOfTrips(t *testing.T) {
	if os.Getenv("FLYBALL_TEST_STAND_BACK") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLearningHasThePriorityOfTrips$", "-test.v")
		cmd.Env = append(os.Environ(), "FLYBALL_TEST_STAND_BACK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := StandBack(); err != nil {
		t.Fatal(err)
	}
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[1])
	for range 20 { // a system call that blocks has a thread of its own
		go func() { _, _ = unix.Read(pipe[0], make([]byte, 1)) }()
	}
	var threads []os.DirEntry
	for until := time.Now().Add(10 * time.Second); len(threads) < 20 && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		var err error
		if threads, err = os.ReadDir("/proc/self/task"); err != nil {
			t.Skip("SKIPPED: only Linux has priorities of threads")
		}
	}
	if len(threads) < 20 {
		t.Errorf("only %d threads", len(threads))
	}
	for _, thread := range threads {
		stat, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		_, fields, _ := strings.Cut(string(stat), ") ")
		// proc(5): state is the first of these, nice the 17th.
		if nice := strings.Fields(fields)[16]; nice != "10" || learn.Nice != 10 {
			t.Errorf("thread %s has nice %s", thread.Name(), nice)
		}
	}
}
