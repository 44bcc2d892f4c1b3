package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"flyball/detect/model/baseline"
)

func close9(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// differ compares the contents of two baselines: counts and thresholds. It ignores the time of
// learning, the window, and values that follow only from the window.
func differ(t *testing.T, deployed, own *baseline.Baseline) {
	t.Helper()
	known := func(b *baseline.Baseline) (out map[string]any) {
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
		for _, of := range []string{"tenant", "version", "made_at_ns", "since_ns", "until_ns", "people", "pace", "life", "from"} {
			delete(out, of)
		}
		return out
	}
	n := 0
	compare(known(deployed), known(own), "", func(where string, a, b any) {
		if n++; n <= 20 {
			t.Errorf("baseline%s: learn made %.200s, eval %.200s", where, fmt.Sprint(a), fmt.Sprint(b))
		}
	})
	if n > 20 {
		t.Errorf("and %d more differences", n-20)
	}
}

func compare(a, b any, where string, differ func(where string, a, b any)) {
	switch x := a.(type) {
	case map[string]any:
		y, _ := b.(map[string]any)
		for k := range x {
			compare(x[k], y[k], where+"."+k, differ)
		}
		for k := range y {
			if _, ok := x[k]; !ok {
				differ(where+"."+k, nil, y[k])
			}
		}
	case []any:
		y, _ := b.([]any)
		if len(x) != len(y) {
			differ(where, a, b)
			return
		}
		for i := range x {
			compare(x[i], y[i], fmt.Sprintf("%s[%d]", where, i), differ)
		}
	case float64:
		if y, ok := b.(float64); !ok || !close9(x, y) {
			differ(where, a, b)
		}
	default:
		if a != b {
			differ(where, a, b)
		}
	}
}
