package clickhouse

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rendered SQL is committed, so that a reviewer sees the effect of a changed column. A
// difference to a released version needs a new Version.
func TestSQLChangedUnseen(t *testing.T) {
	for name, r := range map[string]rendering{"single": single(), "cluster": cluster(), "single-after-4": after4(single()),
		"cluster-after-4": after4(cluster())} {
		all, err := r.steps()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		if r.keeps != nil { // only what differs from a new database
			r.keeps = nil
			fresh, err := r.steps()
			if err != nil {
				t.Fatal(err)
			}
			all = slices.DeleteFunc(all, func(s Migration) bool {
				return slices.ContainsFunc(fresh, func(f Migration) bool { return f.Name == s.Name && f.Sum == s.Sum })
			})
		}
		for _, s := range append([]Migration{{Name: "foundation", Statements: foundation(r.Target)}}, all...) {
			file := filepath.Join("testdata", "snapshots", name, s.Name+".sql")
			seen[s.Name+".sql"] = true
			got := strings.Join(s.Statements, ";\n") + ";\n"
			if os.Getenv("REGENERATE_SNAPSHOTS") == "true" {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from the SQL; raise Version if it was released, then REGENERATE_SNAPSHOTS=true", file)
			}
		}
		left, _ := os.ReadDir(filepath.Join("testdata", "snapshots", name))
		for _, f := range left {
			if !seen[f.Name()] {
				t.Errorf("snapshot %s/%s of nothing", name, f.Name())
			}
		}
	}
}

var someDays = Retention{Calls: 90, Runs: 400}

func single() rendering {
	return rendering{Target: Target{Database: "flyball"}, retention: someDays, since: "2026-12-01"}
}

func cluster() rendering {
	r := single()
	r.Cluster = "prod"
	return r
}

// after4 returns the rendering for a database that version 4 made.
func after4(r rendering) rendering {
	r.keeps = legacyTables
	return r
}

func TestClusterStatementMissesTheCluster(t *testing.T) {
	all, err := after4(cluster()).steps()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, st := range s.Statements {
			if !strings.Contains(st, "ON CLUSTER `prod`") {
				t.Errorf("%s: %s", s.Name, st)
			}
		}
		if !s.Replaces && (len(s.Statements) != 2 || !strings.Contains(s.Statements[0],
			"ENGINE = Replicated") || !strings.Contains(s.Statements[1], "Distributed(")) {
			t.Errorf("%s: %v", s.Name, s.Statements)
		}
	}
}

func TestEnumIsWidenedWrongly(t *testing.T) {
	for _, c := range []struct {
		have, want string
		ok         bool
	}{
		{"Enum8('a' = 0)", "Enum8('a' = 0, 'b' = 1)", true},
		{"Enum8('a' = 0, 'c' = 1)", "Enum8('a' = 0, 'b' = 1)", false},
		{"Enum8('a' = 0, 'b' = 1)", "Enum8('a' = 0)", false},
		{"Array(Enum8('a' = 0))", "Array(Enum8('a' = 0, 'b' = 1))", true},
		{"UInt32", "UInt64", false},
	} {
		if got := widens(c.have, c.want); got != c.ok {
			t.Errorf("%s to %s: %v", c.have, c.want, got)
		}
	}
}
