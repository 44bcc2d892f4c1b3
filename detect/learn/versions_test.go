package learn

import (
	"fmt"
	"testing"
	"time"

	"flyball/detect/baselinestore"
)

// A version is deleted when it is not needed any more, and not before.
func TestVersionThatSomebodyNeedsIsGivenUp(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	var versions []string
	for i := 200; i > 0; i-- { // one version an hour
		versions = append(versions, baselinestore.VersionName("t", now.Add(-time.Duration(i)*time.Hour)))
	}
	dropped := expiredVersions(versions, map[string]bool{versions[3]: true, versions[190]: true}, now)
	gone := map[string]bool{}
	for _, v := range dropped {
		gone[v] = true
	}
	for i, v := range versions {
		made, ok := baselinestore.VersionTime(v)
		if !ok {
			t.Fatal(v)
		}
		want := now.Sub(made) >= keepVersionsFor && i != 3
		if gone[v] != want {
			t.Errorf("version of %s ago: given up %v", now.Sub(made), gone[v])
		}
	}
	// A learner that was stopped for a month keeps its newest versions.
	old := versions[:30]
	if got := expiredVersions(old, nil, now.Add(30*24*time.Hour)); len(got) != 30-keepNewestVersions || got[0] != old[0] {
		t.Errorf("of 30 old ones %d go", len(got))
	}
	if got := expiredVersions(append([]string{"t/of-another-make"}, old...), nil, now.Add(30*24*time.Hour)); fmt.Sprint(
		got[0],
	) == "t/of-another-make" {
		t.Error("a version whose name says nothing was given up")
	}
}
