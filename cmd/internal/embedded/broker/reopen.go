package broker

import (
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
)

// openCluster opens the logs. kfake cuts a segment at the first batch whose checksum is wrong, but keeps the size that the segment had at
// the last regular stop: what it writes then can never be read. After such a cut the logs are therefore opened again, and kfake determines
// their sizes from the files.
func openCluster(opts []kfake.Opt) (*kfake.Cluster, error) {
	cuts := &cutLogger{}
	opts = append(opts, kfake.WithLogger(cuts))
	cluster, err := kfake.NewCluster(opts...)
	if err != nil || !cuts.seen.Load() {
		return cluster, err
	}
	cluster.Close()
	return kfake.NewCluster(opts...)
}

// cutLogger notices kfake's message about a segment that it cut.
type cutLogger struct{ seen atomic.Bool }

// Logf implements kfake.Logger.
func (l *cutLogger) Logf(_ kfake.LogLevel, format string, _ ...any) {
	if strings.Contains(format, "corrupt bytes") {
		l.seen.Store(true)
	}
}
