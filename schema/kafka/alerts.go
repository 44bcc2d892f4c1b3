package kafka

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// WrittenAt returns when the event of a record of flyball.alerts was written to flyball.events, Unix ns.
func WrittenAt(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == wire.HeaderAt {
			if at, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				return at
			}
		}
	}
	return r.Timestamp.UnixNano()
}

// IsOld reports whether a record of flyball.alerts is too old for a page: it was copied when nothing had been copied before.
func IsOld(r *kgo.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == wire.HeaderOld })
}
