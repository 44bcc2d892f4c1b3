package kafka

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// logEvery is the minimum time between two messages of one kind.
	logEvery = 10 * time.Second
	// maxLogKinds is the maximum number of kinds that are kept in memory.
	maxLogKinds = 1000
)

// Log logs at a limited rate: one message of each kind in ten seconds, with the number of
// messages omitted since the last one. A nil *Log discards everything. It is safe for
// concurrent use; all clients of a process share it.
type Log struct {
	out *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]logKind
}

type logKind struct {
	at      time.Time
	omitted int
}

// NewLog returns a Log that writes to out and measures time with now.
func NewLog(out *slog.Logger, now func() time.Time) *Log {
	return &Log{out: out, now: now, kinds: map[string]logKind{}}
}

// Warn logs a warning, unless one of its kind was logged in the last ten seconds.
func (l *Log) Warn(kind, msg string, args ...any) { l.log(slog.LevelWarn, kind, msg, args...) }

func (l *Log) log(level slog.Level, kind, msg string, args ...any) {
	if l == nil {
		return
	}
	omitted, ok := l.isDue(kind)
	if !ok {
		return
	}
	if omitted > 0 {
		args = append(args, "omitted", omitted)
	}
	l.out.Log(context.Background(), level, msg, args...)
}

// isDue reports whether a message of the kind may be logged, and how many were omitted before
// it.
func (l *Log) isDue(kind string) (omitted int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	k, known := l.kinds[kind]
	if since := now.Sub(k.at); known && since >= 0 && since < logEvery {
		k.omitted++
		l.kinds[kind] = k
		return 0, false
	}
	if !known && len(l.kinds) >= maxLogKinds {
		clear(l.kinds)
	}
	l.kinds[kind] = logKind{at: now}
	return k.omitted, true
}

// clientLogger is the logger of one client of franz-go. It logs warnings and errors.
type clientLogger struct {
	log  *Log
	name string
}

func (*clientLogger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (c *clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelWarn
	if level == kgo.LogLevelError {
		to = slog.LevelError
	}
	c.log.log(to, c.name+" "+msg, "Kafka client: "+msg, append([]any{"client", c.name}, keyvals...)...)
}
