package app

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
)

// failPoint kills the process, as kill -9 would, the n-th time that a stage
// between two durable writes is passed: FLYBALL_TEST_FAILPOINT="stage:n". It
// counts only while the file FLYBALL_TEST_ARMED exists, when that is set.
func failPoint(log *slog.Logger) func(string) {
	want, count, ok := strings.Cut(os.Getenv("FLYBALL_TEST_FAILPOINT"), ":")
	if !ok {
		return func(string) {}
	}
	var n int64
	_, _ = fmt.Sscan(count, &n)
	armed := os.Getenv("FLYBALL_TEST_ARMED")
	var passed atomic.Int64
	return func(stage string) {
		if stage != want {
			return
		}
		if _, err := os.Stat(armed); armed != "" && err != nil {
			return
		}
		if passed.Add(1) == n {
			log.Warn("fail point reached: killing this process", "stage", stage)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
