package overview

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"flyball/dashboards/plugin"
)

const committed = "../json/overview.json"

// REGENERATE_SNAPSHOTS=true go test ./dashboards/... writes the committed dashboard.
func TestCommittedDashboardIsTheGenerated(t *testing.T) {
	got, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("REGENERATE_SNAPSHOTS") == "true" {
		if err := os.WriteFile(committed, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(committed); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s is not what overview generates (%v): REGENERATE_SNAPSHOTS=true go test ./dashboards/...", filepath.Base(committed), err)
	}
}

func TestPanelsAskWhatTheBackendAnswersAndDoNotOverlap(t *testing.T) {
	taken := map[[2]int]string{}
	for _, p := range layout {
		if !slices.Contains(plugin.Types, p.query.Type) {
			t.Errorf("panel %s asks for %q", p.title, p.query.Type)
		}
		if p.about == "" {
			t.Errorf("panel %s does not say what it shows", p.title)
		}
		for x := p.x; x < p.x+p.w; x++ {
			for y := p.y; y < p.y+p.h; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x > 23 {
					t.Fatalf("panel %s lies on %q at %d,%d", p.title, other, x, y)
				}
				taken[[2]int{x, y}] = p.title
			}
		}
	}
}

// The front end, the back end and the provisioning must use the same plugin id.
func TestPluginIsNamedTheSameEverywhere(t *testing.T) {
	raw, err := os.ReadFile("../front/src/plugin.json")
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		ID, Executable string
		Backend        bool
	}
	if err := json.Unmarshal(raw, &meta); err != nil || meta.ID != plugin.ID || meta.Executable != "gpx_flyball" || !meta.Backend {
		t.Fatalf("%+v %v", meta, err)
	}
	front, err := os.ReadFile("../front/src/queryTypes.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range plugin.Types {
		if !bytes.Contains(front, []byte("value: '"+q+"'")) {
			t.Errorf("the query editor does not offer %s", q)
		}
	}
	if b, err := os.ReadFile("../../deploy/grafana/provisioning/datasources/flyball.yaml"); err != nil || !bytes.Contains(b,
		[]byte("type: "+plugin.ID)) || !bytes.Contains(b, []byte("uid: flyball")) {
		t.Errorf("provisioning: %v", err)
	}
}
