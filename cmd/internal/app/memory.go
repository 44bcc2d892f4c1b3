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

// The soft limit of the collector is a share of the memory that is available to this process.
// Near its limit the Go collector runs more and more often: a limit below the live heap uses
// all processors, and with a limit above the available memory a backlog can grow until the
// kernel kills the process.
const (
	// shareAlone is for a process without the embedded engine. The rest is for stacks, buffers
	// of the kernel and the page cache of the log.
	shareAlone = 0.70
	// shareWithEngine is for `up` with the embedded engine: a child process with a separate
	// limit (4 GiB for all its statements) and a page cache for its queries.
	shareWithEngine = 0.45
	// minMemoryLimit is the lowest limit, in bytes: the state of a small deployment and one
	// batch of each part need about this much.
	minMemoryLimit = 512 << 20
	// shareOfSmallMachine is for a machine with less memory than minMemoryLimit requires.
	shareOfSmallMachine = 0.90
)

// machineMemory is the memory that this process may use, with its source.
type machineMemory struct {
	bytes  int64  // 0: unknown
	source string // a path of the file system: the limit of a control group, or /proc/meminfo
}

// readMachineMemory returns the minimum of the total memory and the limits of the process's
// control groups (version 2: memory.max, version 1: memory.limit_in_bytes) and of their
// parents. root is the root of the file system. A file that does not exist or cannot be read
// means no limit.
func readMachineMemory(root fs.FS) machineMemory {
	least := machineMemory{}
	take := func(bytes int64, source string) {
		if bytes > 0 && (least.bytes == 0 || bytes < least.bytes) {
			least = machineMemory{bytes, source}
		}
	}
	take(totalMemory(root), "/proc/meminfo")
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.SplitSeq(string(groups), "\n") {
		mounts, group, file := memoryGroup(line)
		for _, mount := range mounts {
			// In a container the path can be that of the host, while the group itself is mounted at the root.
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

// memoryGroup reads a line of /proc/self/cgroup. It returns the possible mount points of the
// group, its path below them, and the name of the file with its limit. A line that does not
// contain a memory controller has no mounts.
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

// groupLimit returns the limit in a file, in bytes; 0 means no limit ("max", or a number
// larger than the memory of any machine).
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
	for line := range strings.SplitSeq(string(text), "\n") {
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

// softMemoryLimit returns the limit of the collector in bytes, and a sentence with its source.
// 0 leaves the limit unchanged: goMemLimit (the environment variable GOMEMLIMIT) is set, or
// the memory of the machine is unknown.
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

// limitMemory sets the soft limit of the collector, logs it and registers it as a metric.
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
