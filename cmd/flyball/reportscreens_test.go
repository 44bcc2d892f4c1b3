package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// People read every report on terminals of these widths: a change is visible in the golden files.
func TestReportsOnScreens(t *testing.T) {
	all := reports()
	for _, width := range []int{80, 120, 200} {
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(all)) {
			r := all[name]
			f := newFixture(t, "")
			f.db, f.api, f.log, f.width, f.now = r.db, r.api, r.log, width, at("2026-11-20 10:10:00")
			inOwnFolder(t, f, func() {
				f.config = cmp.Or(r.api["configuration"], f.config)
				_, text, errs := f.run(r.args...)
				fmt.Fprintf(&out, "=== %s\n%s\n", name, withoutRandom(t, text+errs))
			})
		}
		golden(t, fmt.Sprintf("screens/reports-%d.txt", width), out.String())
	}
}

// People read what a command changed on terminals of these widths.
func TestOrdersOnScreens(t *testing.T) {
	all := orders()
	for _, width := range []int{80, 120, 200} {
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(all)) {
			f := newFixture(t, "")
			f.api, f.width, f.now = all[name].api, width, at("2026-11-20 10:10:00")
			inOwnFolder(t, f, func() {
				_, text, errs := f.run(all[name].args...)
				fmt.Fprintf(&out, "=== %s\n%s\n", name, text+errs)
			})
		}
		golden(t, fmt.Sprintf("screens/orders-%d.txt", width), out.String())
	}
}

// digest is one of arguments, made with a key of the process.
var digest = regexp.MustCompile(`(args_digest(?:","value)?\W+)[0-9a-f]{16}`)

// withoutRandom returns a text without what differs between two runs of a test.
func withoutRandom(t *testing.T, text string) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return digest.ReplaceAllString(strings.ReplaceAll(text, folder+"/", ""), "${1}DIGEST_OF_16_HEX")
}

// inOwnFolder runs commands in the folder of the fixture's configuration, whose path has another length in each run of a test.
func inOwnFolder(t *testing.T, f *fixture, run func()) {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Dir(f.config)
	if err := os.Symlink(filepath.Join(folder, "testdata"), filepath.Join(own, "testdata")); err != nil {
		t.Fatal(err)
	}
	f.config = filepath.Base(f.config)
	t.Chdir(own)
	run()
	t.Chdir(folder)
}
