package baseline

import (
	"encoding/json"
	"strings"
	"testing"
)

// A filter without bits causes a division by zero when it is used, and one that claims more bits
// than it has causes a large allocation: decoding must return an error for both.
func TestFilterThatNobodyCanHaveMadeIsRefused(t *testing.T) {
	k := newKnownResources()
	k.add("g", []uint64{1, 2, 3})
	k.finish()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	var again KnownResources
	if err := json.Unmarshal(text, &again); err != nil || again.IsNew("g", 2) || !again.IsNew("g", 4) || again.Runs["g"] != 1 {
		t.Fatalf("what was written: %v, %v", err, again.Runs)
	}
	for _, bad := range []string{
		`{"groups":{"g":null}}`, `{"groups":{"g":{}}}`, `{"groups":{"g":{"m":0,"k":4,"b":""}}}`,
		`{"groups":{"g":{"m":512,"k":4,"b":"f________38="}}}`,
		strings.Replace(string(text), `"m":512`, `"m":0`, 1), strings.Replace(string(text), `"k":4`, `"k":4000000000`, 1),
		strings.Replace(string(text), `"b":"AAAA`, `"b":"____`, 1),
	} {
		var k KnownResources
		if err := json.Unmarshal([]byte(bad), &k); err == nil {
			t.Errorf("%.80s is taken", bad)
			_ = k.IsNew("g", 1)
		}
	}
	var none KnownResources
	if err := json.Unmarshal([]byte(`{}`), &none); err != nil || none.IsNew("g", 1) || none.Saturated("g") {
		t.Errorf("a body that knows no resources: %v", err)
	}
}
