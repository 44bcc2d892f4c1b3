package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"flyball/schema/clickhouse/query"
)

// A division by zero in one row made a whole listing fail.
func TestNumbersThatJSONHasNotBreakNoAnswer(t *testing.T) {
	nan := math.NaN()
	type row struct {
		query.Finding
		Share  *float64           `json:"share"`
		By     map[string]float64 `json:"by"`
		List   []any              `json:"list"`
		hidden float64
	}
	v := []row{
		{Finding: query.Finding{ID: "f_1", Score: nan, ExpectedRate: math.Inf(1), Summary: `score": 1.7976931348623157e+308,`}, Share: &nan,
			By: map[string]float64{"a": math.Inf(-1), "b": 1}, List: []any{nan, 2.5, "x"}, hidden: nan},
	}
	var b strings.Builder
	if err := JSON(&b, v); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%v in %s", err, b.String())
	}
	g := got[0]
	list, by := g["list"].([]any), g["by"].(map[string]any)
	if g["score"] != nil || g["expected_rate"] != nil || g["share"] != nil || by["a"] != nil || by["b"] != 1.0 || list[0] != nil ||
		list[1] != 2.5 ||
		list[2] != "x" {
		t.Errorf("%s", b.String())
	}
	if g["summary"] != v[0].Summary || g["finding_id"] != "f_1" {
		t.Errorf("text was changed: %s", b.String())
	}
	if !math.IsNaN(v[0].Score) {
		t.Error("the value itself was changed")
	}
}
