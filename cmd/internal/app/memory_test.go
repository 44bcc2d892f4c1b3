package app

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const gib = int64(1) << 30

func TestLimitOfTheCollectorIsFarBelowTheMachine(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	meminfo := file("MemTotal:       25165824 kB\nMemFree:         1024 kB\n") // 24 GiB
	for name, c := range map[string]struct {
		files  fstest.MapFS
		engine bool
		env    string
		want   int64
		source string // source of the machine's memory
	}{
		"total memory, a role alone":            {fstest.MapFS{"proc/meminfo": meminfo}, false, "", 24 * gib * 70 / 100, "/proc/meminfo"},
		"total memory, with the engine's child": {fstest.MapFS{"proc/meminfo": meminfo}, true, "", 24 * gib * 45 / 100, "/proc/meminfo"},
		"version 2": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/system.slice/flyball.service\n"),
			"sys/fs/cgroup/system.slice/flyball.service/memory.max": file("8589934592\n"),
		}, true, "", 8 * gib * 45 / 100, "/sys/fs/cgroup/system.slice/flyball.service/memory.max"},
		"version 2, the parent is narrower": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/system.slice/flyball.service\n"),
			"sys/fs/cgroup/system.slice/flyball.service/memory.max": file("max\n"), "sys/fs/cgroup/system.slice/memory.max": file("4294967296\n"),
		}, false, "", 4 * gib * 70 / 100, "/sys/fs/cgroup/system.slice/memory.max"},
		"version 2, max everywhere": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n"),
		}, false, "", 24 * gib * 70 / 100, "/proc/meminfo"},
		"version 2 in a container: the path is the host's": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/../../kubepods/pod7\n"), "sys/fs/cgroup/memory.max": file("2147483648"),
		}, false, "", 2 * gib * 70 / 100, "/sys/fs/cgroup/memory.max"},
		"version 1": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("12:cpu,cpuacct:/a\n4:memory:/docker/77\n0::/\n"),
			"sys/fs/cgroup/memory/docker/77/memory.limit_in_bytes": file("3221225472\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":           file("9223372036854771712\n"),
		}, false, "", 3 * gib * 70 / 100, "/sys/fs/cgroup/memory/docker/77/memory.limit_in_bytes"},
		"version 1 without a limit": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("4:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"),
		}, false, "", 24 * gib * 70 / 100, "/proc/meminfo"},
		"a group wider than the machine": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/a\n"), "sys/fs/cgroup/a/memory.max": file("109951162777600\n"),
		}, false, "", 24 * gib * 70 / 100, "/proc/meminfo"},
		"the least on a small machine": {fstest.MapFS{"proc/meminfo": file("MemTotal: 1048576 kB\n")}, true, "", 512 << 20, "/proc/meminfo"},
		"a machine below the least": {fstest.MapFS{"proc/meminfo": file("MemTotal: 262144 kB\n")}, true, "", (256 << 20) * 9 / 10,
			"/proc/meminfo"},
		"GOMEMLIMIT above all": {fstest.MapFS{"proc/meminfo": meminfo}, true, "1GiB", 0, "/proc/meminfo"},
		"nothing is known":     {fstest.MapFS{"proc/self/cgroup": file("garbage\n0::\n:::")}, true, "", 0, ""},
		"numbers that are none": {fstest.MapFS{"proc/meminfo": file("MemTotal: 99999999999999999999 kB\n"),
			"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("-1\n")}, true, "", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := readMachineMemory(c.files)
			if m.source != c.source {
				t.Errorf("source %q, want %q", m.source, c.source)
			}
			got, why := softMemoryLimit(m, c.engine, c.env)
			if math.Abs(float64(got-c.want)) > 1 || why == "" {
				t.Errorf("limit %d (%s), want %d", got, why, c.want)
			}
		})
	}
}

// The limit was 768 MiB on every machine: with a normal state of 8 GiB the collector used both
// processors.
func TestProcessStartsWithTheMachinesLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("GOMEMLIMIT", "")
	reg := prometheus.NewRegistry()
	limitMemory(true, slog.New(slog.DiscardHandler), reg)
	m := readMachineMemory(os.DirFS("/"))
	if m.bytes == 0 {
		t.Skip("nothing says how much memory this machine has")
	}
	if got, want := debug.SetMemoryLimit(-1), int64(shareWithEngine*float64(m.bytes)); got < want-1 {
		t.Errorf("the limit is %d MiB of %d MiB", got>>20, m.bytes>>20)
	}
	if n, err := testutil.GatherAndCount(reg, "flyball_memory_limit_bytes"); n != 1 || err != nil {
		t.Errorf("%d metrics, %v", n, err)
	}
}
