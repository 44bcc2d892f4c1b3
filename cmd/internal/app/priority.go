package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"flyball/detect/learn"
)

// StandBack gives the process the CPU that others leave: a process that only learns must not delay trips on the same machine. The
// priority is of threads on Linux, and those that begin later have that of the thread that began them.
func StandBack() error {
	const tasks = "/proc/self/task"
	threads, err := os.ReadDir(tasks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another system
	}
	if err != nil {
		return fmt.Errorf("priority of the process: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return fmt.Errorf("priority of the process: %s/%s is no number of a thread", tasks, t.Name())
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, learn.Nice); err != nil && err != unix.ESRCH {
			return fmt.Errorf("priority of thread %d: %w", id, err)
		}
	}
	return nil
}
