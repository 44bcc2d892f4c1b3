package boards

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/nodegraph"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"flyball/dashboards/plugin"
)

const committed = "../json"

// REGENERATE_SNAPSHOTS=true go test ./dashboards/boards writes the committed dashboards.
func TestCommittedDashboardIsNotTheGenerated(t *testing.T) {
	files := []string{}
	for _, b := range All() {
		got, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b.File())
		path := filepath.Join(committed, b.File())
		if os.Getenv("REGENERATE_SNAPSHOTS") == "true" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what boards generates (%v): REGENERATE_SNAPSHOTS=true go test ./dashboards/boards", b.File(), err)
		}
	}
	entries, err := os.ReadDir(committed)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(files, e.Name()) {
			t.Errorf("dashboards/json/%s: no dashboard generates it", e.Name())
		}
	}
}

// Grafana drops a member that it does not know without a word. The SDK's strict reader, which is
// generated from Grafana's schema, names it. A table's options and the traces panel are not
// read: the first have an option of newer versions, for the second there is no type.
func TestDashboardHasAMemberThatGrafanasSchemaDoesNotKnow(t *testing.T) {
	for _, v := range []variants.PanelcfgConfig{timeseries.VariantConfig(), stat.VariantConfig(), logs.VariantConfig(),
		nodegraph.VariantConfig()} {
		cog.NewRuntime().RegisterPanelcfgVariant(v)
	}
	cog.NewRuntime().RegisterDataqueryVariant(variants.DataqueryConfig{Identifier: plugin.ID, StrictDataqueryUnmarshaler: readQuery,
		DataqueryUnmarshaler: readQuery})
	for _, b := range All() {
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults(raw) {
			t.Errorf("%s: %v", b.File(), fault)
		}
		for before, after := range map[string]string{`"panels":`: `"pannels":`, `"gridPos":`: `"gridpos":`} {
			if len(faults(bytes.Replace(raw, []byte(before), []byte(after), 1))) == 0 {
				t.Errorf("%s: the reader does not notice %s", b.File(), after)
			}
		}
	}
}

// faults are what the strict reader finds. Without any, it returns an error that holds none.
func faults(raw []byte) cog.BuildErrors {
	//lint:ignore SA1019 file provisioning reads this version of the schema
	var got dashboard.Dashboard
	var found cog.BuildErrors
	if err := got.UnmarshalJSONStrict(raw); err != nil && !errors.As(err, &found) {
		found = cog.MakeBuildErrors("dashboard", err)
	}
	return found
}

func readQuery(raw []byte) (variants.Dataquery, error) {
	var q Query
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return &q, d.Decode(&q)
}

// The front end, the back end and the provisioning must use the same plugin id.
func TestPluginIsNamedDifferentlySomewhere(t *testing.T) {
	for path, want := range map[string]string{"../../deploy/grafana/provisioning/datasources/flyball.yaml": "type: " + plugin.ID,
		"../../deploy/grafana/provisioning/dashboards/flyball.yaml": "/var/lib/grafana/dashboards/flyball",
		"../README.md": "GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS=" + plugin.ID} {
		if b, err := os.ReadFile(path); err != nil || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s does not say %q (%v)", path, want, err)
		}
	}
}
