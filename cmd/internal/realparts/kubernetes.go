package realparts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"flyball/cmd/internal/tiers"
)

// KustomizeVersion is the version of Kustomize that tests build from the Go module proxy. KubernetesVersion is that of the schemas, and of
// kubernetes-validate on PyPI, which contains them.
const (
	KustomizeVersion  = "v5.8.2"
	KubernetesVersion = "1.37.0"
)

// FetchKustomize builds Kustomize, once, and returns the path of the program.
func FetchKustomize() (string, error) {
	if err := need("go"); err != nil {
		return "", err
	}
	dir := filepath.Join(Cache(), "kustomize-"+KustomizeVersion)
	program := filepath.Join(dir, "kustomize")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	cmd := exec.Command("go", "install", "sigs.k8s.io/kustomize/kustomize/v5@"+KustomizeVersion)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Kustomize %s: %w: %s", KustomizeVersion, err, last(out))
	}
	return program, nil
}

// FetchKubernetesValidate installs kubernetes-validate from PyPI, once, and returns the directory of its packages.
func FetchKubernetesValidate() (string, error) {
	return fetchPython("kubernetes-validate", KubernetesVersion)
}

// Kustomize returns what `kustomize build` makes of the folder.
func Kustomize(t testing.TB, folder string) []byte {
	t.Helper()
	program, err := FetchKustomize()
	if err != nil {
		missing(t, "kubernetes", err)
	}
	tiers.Ran("kubernetes")
	out, err := exec.Command(program, "build", folder).Output()
	if err != nil {
		t.Fatalf("kustomize build %s: %v: %s", folder, err, stderrOf(err))
	}
	return out
}

// KubernetesValidate fails the test if the file contains an object that the strict JSON schemas of KubernetesVersion refuse.
func KubernetesValidate(t testing.TB, file string) {
	t.Helper()
	dir, err := FetchKubernetesValidate()
	if err != nil {
		missing(t, "kubernetes", err)
	}
	tiers.Ran("kubernetes")
	cmd := exec.Command("python3", "-m", "kubernetes_validate", "--strict", "-k", KubernetesVersion, file)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("kubernetes-validate: %v\n%s", err, out)
	}
}

func stderrOf(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}
