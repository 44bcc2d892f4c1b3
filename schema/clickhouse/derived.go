package clickhouse

import (
	"encoding/hex"

	"flyball/schema"
)

// kafkaDelay returns the Kafka time of the record minus the start of the call, in
// milliseconds: one byte for most calls, where the time itself would need four. Zero is
// unknown; a delay of zero or more is stored as delay + 1.
func kafkaDelay(c *call) int64 {
	if c.KafkaTime == 0 {
		return 0
	}
	d := floorMilli(c.KafkaTime) - floorMilli(c.Start)
	if d >= 0 {
		d++
	}
	return d
}

func floorMilli(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
}

// operationNamed returns the operation of a call, or "" for "METHOD /route", which the view
// computes.
func operationNamed(c *call) string {
	o, m := c.Operation, len(c.Method)
	if len(o) == m+1+len(c.Route) && o[m] == ' ' && o[:m] == c.Method && o[m+1:] == c.Route {
		return ""
	}
	return o
}

// requestUUID returns a request id that is a UUID in its usual form, in 16 bytes instead of
// 36; requestText returns all other ids.
func requestUUID(c *call) [16]byte {
	u, _ := parseUUID(c.RequestID)
	return u
}

func requestText(c *call) string {
	if _, ok := parseUUID(c.RequestID); ok {
		return ""
	}
	return c.RequestID
}

func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	var b [32]byte
	copy(b[:], s[:8])
	copy(b[8:], s[9:13])
	copy(b[12:], s[14:18])
	copy(b[16:], s[19:23])
	copy(b[20:], s[24:])
	for _, ch := range b {
		if ch >= 'A' && ch <= 'F' {
			return u, false // the view would return it in lower case
		}
	}
	if _, err := hex.Decode(u[:], b[:]); err != nil {
		return [16]byte{}, false
	}
	return u, u != [16]byte{}
}

func resultDigest(c *call) uint64 {
	if c.ResultDigestBasis == schema.DigestOutcome {
		return 0
	}
	return c.ResultDigest
}
