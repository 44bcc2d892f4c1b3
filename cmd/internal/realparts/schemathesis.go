package realparts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"flyball/cmd/internal/tiers"
)

// SchemathesisVersion is the version of Schemathesis that tests run; it is on PyPI.
const SchemathesisVersion = "4.32.5"

// FetchSchemathesis installs Schemathesis from PyPI, once, and returns the directory of its packages.
func FetchSchemathesis() (string, error) { return fetchPython("schemathesis", SchemathesisVersion) }

// fetchPython installs a package from PyPI, once, and returns the directory of its packages.
func fetchPython(name, version string) (string, error) {
	if err := need("python3"); err != nil {
		return "", err
	}
	dir := filepath.Join(Cache(), name+"-"+version)
	if _, err := os.Stat(filepath.Join(dir, "bin")); err == nil {
		return dir, nil
	}
	cmd := exec.Command("python3", "-m", "pip", "install", "-q", "--target", dir, name+"=="+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch %s %s: %w: %s", name, version, err, last(out))
	}
	return dir, nil
}

// Schemathesis compares an API with its OpenAPI document and fails the test if they differ.
func Schemathesis(t testing.TB, document string, args ...string) {
	t.Helper()
	dir, err := FetchSchemathesis()
	if err != nil {
		missing(t, "schemathesis", err)
	}
	tiers.Ran("schemathesis")
	cmd := exec.Command("python3", append([]string{"-m", "schemathesis.cli", "run", document, "--no-color"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the API and its document do not agree: %v\n%s", err, out)
	}
}
