package decode

import (
	"math"
	"strconv"
	"strings"
)

// sampledWeight returns how many spans one sampled span represents. It reads the threshold that OpenTelemetry's consistent sampling
// writes to the trace state: ot=th:HEX, up to 14 hexadecimal digits of a 56-bit number without trailing zeroes. A span is kept with the
// probability 1 - th/2^56. sampledWeight returns 0 if the state contains no threshold or all spans are kept. See
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/
func sampledWeight(state string) uint32 {
	for state != "" {
		var member string
		member, state, _ = strings.Cut(state, ",")
		fields, ok := strings.CutPrefix(strings.TrimSpace(member), "ot=")
		if !ok {
			continue
		}
		for fields != "" {
			var field string
			field, fields, _ = strings.Cut(fields, ";")
			hex, ok := strings.CutPrefix(field, "th:")
			if !ok || hex == "" || len(hex) > 14 {
				continue
			}
			th, err := strconv.ParseUint(hex+strings.Repeat("0", 14-len(hex)), 16, 64)
			if err != nil || th == 0 {
				return 0
			}
			keep := 1 - float64(th)/(1<<56)
			return uint32(math.Min(math.Round(1/keep), math.MaxUint32))
		}
	}
	return 0
}
