package app

import (
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// The collector's soft limit is a share of what the machine gives this process. Near the limit the Go collector
// runs more and more often, so a limit below the live heap costs all processors; a limit above what the machine
// gives lets a backlog grow until the kernel ends the process.
const (
	// shareAlone is for a process that has the machine to itself: the rest is for stacks, buffers of the kernel and
	// the page cache of the log.
	shareAlone = 0.70
	// shareWithEngine is for `up` with the embedded engine, a child process with a limit of its own (4 GiB for all its
	// statements) and a page cache that its queries need.
	shareWithEngine = 0.45
	// minMemoryLimit is the lowest limit: the state of a small deployment and one batch of each part need about that.
	minMemoryLimit = 512 << 20
	// shareOfSmallMachine is for a machine that has less than minMemoryLimit.
	shareOfSmallMachine = 0.90
)

// machineMemory is the memory that this process may use, and the source of that limit.
type machineMemory struct {
	bytes  int64  // 0: unknown
	source string // a path of the file system: the limit of a control group, or /proc/meminfo
}

// readMachineMemory takes the lowest of the total memory and the limits of the process's control groups (version 2:
// memory.max, version 1: memory.limit_in_bytes), the parents' included: a parent's limit holds for its children.
// root is the root of the file system. A file that is not there or not readable is no limit.
func readMachineMemory(root fs.FS) machineMemory {
	least := machineMemory{}
	take := func(bytes int64, source string) {
		if bytes > 0 && (least.bytes == 0 || bytes < least.bytes) {
			least = machineMemory{bytes, source}
		}
	}
	take(totalMemory(root), "/proc/meminfo")
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for _, line := range strings.Split(string(groups), "\n") {
		mounts, group, file := memoryGroup(line)
		for _, mount := range mounts {
			// In a container the path may be the host's, and what is mounted is the group itself: the walk ends there.
			for at := path.Clean("/" + group); ; at = path.Dir(at) {
				name := path.Join(mount, at, file)
				take(groupLimit(root, name), "/"+name)
				if at == "/" {
					break
				}
			}
		}
	}
	return least
}

// memoryGroup reads a line of /proc/self/cgroup: where the group may be mounted, its path there, and the file with its
// limit. Without mounts the line says nothing about memory.
func memoryGroup(line string) (mounts []string, group, file string) {
	// hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
	_, rest, _ := strings.Cut(line, ":")
	controllers, group, ok := strings.Cut(rest, ":")
	switch {
	case ok && controllers == "" && strings.HasPrefix(line, "0:"):
		return []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, group, "memory.max"
	case ok && strings.Contains(","+controllers+",", ",memory,"):
		return []string{"sys/fs/cgroup/memory"}, group, "memory.limit_in_bytes"
	}
	return nil, "", ""
}

// groupLimit is 0 for no limit ("max", or a number that no machine has).
func groupLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= math.MaxInt64>>1 {
		return 0
	}
	return n
}

func totalMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || n > math.MaxInt64>>10 {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// softMemoryLimit returns the collector's limit in bytes, with a sentence that names its source. 0 leaves the limit
// unchanged: goMemLimit (the environment's GOMEMLIMIT) is set, or the machine's memory is unknown.
func softMemoryLimit(m machineMemory, embeddedEngine bool, goMemLimit string) (int64, string) {
	if goMemLimit != "" {
		return 0, "GOMEMLIMIT=" + goMemLimit
	}
	if m.bytes == 0 {
		return 0, "no limit: neither a control group nor /proc/meminfo says how much memory there is"
	}
	share := shareAlone
	if embeddedEngine {
		share = shareWithEngine
	}
	limit := int64(share * float64(m.bytes))
	why := fmt.Sprintf("%.0f %% of %d MiB (%s)", 100*share, m.bytes>>20, m.source)
	if least := min(minMemoryLimit, int64(shareOfSmallMachine*float64(m.bytes))); limit < least {
		limit, why = least, fmt.Sprintf("the least, of %d MiB (%s)", m.bytes>>20, m.source)
	}
	return limit, why
}

// limitMemory sets the collector's soft limit, and shows it in the log and as a metric.
func limitMemory(embeddedEngine bool, log *slog.Logger, reg prometheus.Registerer) {
	limit, why := softMemoryLimit(readMachineMemory(os.DirFS("/")), embeddedEngine, os.Getenv("GOMEMLIMIT"))
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	inForce := debug.SetMemoryLimit(-1)
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flyball_memory_limit_bytes",
		Help: "Soft memory limit of the Go collector: a share of the control group's limit or of total memory, or GOMEMLIMIT. " +
			"9.2e18 is no limit.",
	})
	g.Set(float64(inForce))
	reg.MustRegister(g)
	if inForce == math.MaxInt64 {
		log.Warn("the collector has no memory limit", "source", why)
		return
	}
	log.Info("memory limit of the collector", "limit_mib", inForce>>20, "source", why)
}
