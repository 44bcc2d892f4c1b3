package decode

import (
	"strings"
	"testing"
)

// The thresholds are the examples of the specification: th:0 keeps all spans, th:8 half, th:c a quarter, th:e6666666666666 a tenth.
func TestASampledSpanStandsForThoseThatWereNotKept(t *testing.T) {
	for state, want := range map[string]uint32{
		"": 0, "ot=th:0": 0, "ot=th:8": 2, "ot=th:c": 4, "congo=t61,ot=rv:abcdef;th:c": 4, "ot=th:e6666666666666": 10,
		"ot=th:ffffffffffffff": 4294967295,
		"ot=th:":               0, "ot=th:xyz": 0, "ot=th:123456789012345": 0, "other=th:8": 0,
	} {
		if got := sampledWeight(state); got != want {
			t.Errorf("%q: %d, want %d", state, got, want)
		}
	}
	calls, _, _ := decodeAuto(t, []byte(strings.Replace(oneSpan, `"spanId"`, `"traceState":"ot=th:c","spanId"`, 1)))
	if len(calls) != 1 || calls[0].SampleWeight != 4 {
		t.Errorf("%+v", calls)
	}
}
