//go:build failpoints

package app

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// failPoint returns a function that the parts call at each stage between two durable writes.
// It kills the process, as kill -9 would, at the n-th pass of the stage in
// FLYBALL_TEST_FAILPOINT="stage:n". With FLYBALL_TEST_ARMED set, passes count only while the
// file of that name exists. Only binaries with the build tag failpoints contain it.
func failPoint(log *slog.Logger) func(stage string) {
	wanted, count, ok := strings.Cut(os.Getenv("FLYBALL_TEST_FAILPOINT"), ":")
	if !ok {
		return func(string) {}
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		panic("FLYBALL_TEST_FAILPOINT: " + err.Error())
	}
	armed := os.Getenv("FLYBALL_TEST_ARMED")
	var passed atomic.Int64
	return func(stage string) {
		if stage != wanted {
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
