package mapping

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// lines returns lines of the decoders' records and changed copies of them.
func lines(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../decode/testdata/*.log")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Split(strings.TrimSpace(string(b)), "\n")...)
	}
	return out
}

// same compares the match without backtracking with that of package regexp.
func same(t *testing.T, p *Program, line string) {
	t.Helper()
	want := p.pattern.re.FindStringSubmatchIndex(line)
	got, ok := p.pattern.match(line, nil)
	if ok != (want != nil) || ok && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %q: %v, the library %v", p.Name, line, got, want)
	}
}

func TestAPatternMatchesAsTheLibraryDoes(t *testing.T) {
	fast, all := map[string]int{}, map[string]int{}
	earlier := map[string]bool{} // lines that a preset reads that is tried before
	for _, p := range Presets() {
		if !p.IsText() {
			continue
		}
		if p.pattern.first == nil {
			t.Errorf("%s: its pattern always takes the slow way", p.Name)
		}
		for _, line := range lines(t) {
			same(t, p, line)
			for cut := 0; cut < len(line); cut += 7 {
				same(t, p, line[:cut])
				same(t, p, line[cut:])
				same(t, p, line[:cut]+"\xff\"é "+line[cut:])
			}
			if p.pattern.first != nil && p.pattern.re.MatchString(line) && !earlier[line] {
				earlier[line] = true
				all[p.Name]++
				caps := make([]int, 2*(p.pattern.re.NumSubexp()+1))
				if p.pattern.first(line, 0, caps) == len(line) {
					fast[p.Name]++
				}
			}
		}
	}
	for name, n := range all {
		if fast[name] < n {
			t.Errorf("%s: %d of %d lines take the slow way", name, n-fast[name], n)
		}
	}
}

func FuzzPatternMatchesAsTheLibraryDoes(f *testing.F) {
	for _, line := range lines(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, p := range Presets() {
			if p.IsText() && len(line) < 2000 {
				same(t, p, line)
			}
		}
	})
}
