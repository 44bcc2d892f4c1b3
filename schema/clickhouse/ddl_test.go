package clickhouse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The rendered SQL is committed, so that a reviewer sees the effect of a changed column. A
// difference to a released version needs a new Version.
func TestSQLChangedUnseen(t *testing.T) {
	for name, target := range map[string]Target{"single": {Database: "flyball"}, "cluster": {Database: "flyball", Cluster: "prod"}} {
		all, err := steps(target, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, s := range append([]Migration{{Name: "foundation", Statements: foundation(target)}}, all...) {
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

func TestClusterStatementMissesTheCluster(t *testing.T) {
	all, err := steps(Target{Database: "flyball", Cluster: "prod"}, nil)
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
