package tiers

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSkippedTierNeverShowsAsRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tiers.tsv")
	t.Setenv(EnvFile, file)
	t.Setenv(EnvRequire, "")
	Ran("kafka")
	Ran("envoy")
	Skipped("envoy", errors.New("pip is\nnot installed")) // in another package
	t.Run("a test without its part", func(t *testing.T) { Missing(t, "engine", errors.New("the library is not here")) })
	records, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	Table(&b, string(records))
	for _, want := range []string{
		`(?m)^kafka +run$`, `(?m)^envoy +skipped\n +why: pip is not installed\n +to run it: apt-get`,
		`(?m)^engine +skipped\n +why: the library is not here\n +to run it: make engine`, `(?m)^rsyslog +not reached\n`,
	} {
		if !regexp.MustCompile(want).MatchString(b.String()) {
			t.Errorf("no line matches %s:\n%s", want, b.String())
		}
	}
}

func TestMandatoryTierIsNotSkipped(t *testing.T) {
	for value, want := range map[string]bool{"": false, "all": true, "kafka, engine": true, "kafka": false} {
		t.Setenv(EnvRequire, value)
		if got := Required("engine"); got != want {
			t.Errorf("%s=%q: engine required is %t", EnvRequire, value, got)
		}
	}
}
