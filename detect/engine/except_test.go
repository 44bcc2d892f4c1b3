package engine

import (
	"testing"

	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
)

// What covers a finding survives a restart: else each restart would open a breaker
// on what is meant.
func TestRestartForgetsTheException(t *testing.T) {
	was := judged{findings: new([score.NumFamilies]finding)}
	was.findings[3] = finding{FindingProgress: policy.FindingProgress{Level: schema.LevelTrip, Exception: "nightly purge"}, told: 9, openedAt: 5}
	for version, want := range map[uint8]string{5: "nightly purge", 4: ""} {
		w := wire.NewWriter(nil, wire.KindState, version)
		was.Code(w)
		r, err := wire.NewReader(w.Bytes(), wire.KindState, 5)
		if err != nil {
			t.Fatal(err)
		}
		var got judged
		got.Code(r)
		if r.Err != nil || r.Rest() != 0 {
			t.Fatalf("version %d: %v, %d bytes left", version, r.Err, r.Rest())
		}
		if f := got.findings[3]; f.Exception != want || f.Level != schema.LevelTrip || f.told != 9 || f.openedAt != 5 {
			t.Errorf("version %d: %+v", version, f)
		}
	}
}
