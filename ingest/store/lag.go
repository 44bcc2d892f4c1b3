package store

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// behind reports whether records of a journal partition wait at or after next,
// as of what the last fetch said.
func (s *Store) behind(partition int32, next int64) bool {
	return s.ends[partition] > next
}

func unixNano(ns int64) time.Time { return time.Unix(0, ns) }

// forbidden are the commit errors that no repetition cures.
func forbidden(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed)
}
