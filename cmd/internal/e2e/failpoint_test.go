package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const failPointVariable = "FLYBALL_TEST_FAILPOINT"

var buildWithFailPoints = sync.OnceValues(func() (string, error) {
	out := filepath.Join(filepath.Dir(binary), "flyball-failpoints")
	build := exec.Command("go", "build", "-pgo=off", "-tags", "failpoints", "-o", out, "flyball/cmd/flyball")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return out, build.Run()
})

// binaryWithFailPoints returns a binary that kills itself at the stage in
// FLYBALL_TEST_FAILPOINT. It is built when the first test needs it.
func binaryWithFailPoints(t *testing.T) string {
	t.Helper()
	path, err := buildWithFailPoints()
	if err != nil {
		t.Fatalf("build with the tag failpoints: %v", err)
	}
	return path
}

// An environment variable could kill the binary that users run.
func TestKilledByAVariableIsNoOrdinaryBinary(t *testing.T) {
	holds := func(path string) bool {
		t.Helper()
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(program, []byte(failPointVariable))
	}
	if holds(binary) {
		t.Errorf("the ordinary binary knows %s", failPointVariable)
	}
	if !holds(binaryWithFailPoints(t)) {
		t.Errorf("the binary with the tag failpoints does not know %s", failPointVariable)
	}
}
