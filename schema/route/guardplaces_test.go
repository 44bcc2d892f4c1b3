package route

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// letters returns the n-th word of a length.
func letters(n, length int) string {
	b := []byte(strings.Repeat("a", length))
	for i := range b {
		b[i] += byte(n % 26)
		n /= 26
	}
	return string(b)
}

// paddedTemplates are templates of paths that a caller makes up: as many words as a template has, and each path has other ones.
func paddedTemplates(n int) (seen []Seen) {
	for i := range n {
		path := "/static"
		for k := range maxSegments - 1 {
			path += "/" + letters(i*maxSegments+k, 18)
		}
		seen = append(seen, Seen{"GET", heuristicTemplate(path), 1})
	}
	return seen
}

// FLYBALL_TEST_TEMPLATES=200000 is as many as learning reads of a day.
func TestInventedTemplatesFillTheMemory(t *testing.T) {
	n := 20_000
	if text := os.Getenv("FLYBALL_TEST_TEMPLATES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seen := paddedTemplates(n)
	for i := range 150 {
		seen = append(seen, Seen{"GET", heuristicTemplate("/shop/items/blue-" + letters(i, 5) + "-shoe"), 3})
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	learned, _ := Collapse(Learned{}, seen)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	t.Logf("%d templates: %v, %d MiB allocated", n, took, (after.TotalAlloc-before.TotalAlloc)>>20)
	if !reflect.DeepEqual(learned.Collapsed, []Slot{{"GET", "/shop/items/{slug}"}}) {
		t.Errorf("%v are learned", learned.Collapsed)
	}
	if most := uint64(16<<20 + 2000*n); after.TotalAlloc-before.TotalAlloc > most {
		t.Errorf("%d bytes are allocated for %d templates, at most %d", after.TotalAlloc-before.TotalAlloc, n, most)
	}
}

// countedByText counts words by the text of each place, without a bound.
func countedByText(seen []Seen) map[Slot]Evidence {
	words := map[place]*wordsAt{}
	for i := range seen {
		segs := segmentsOf(&seen[i])
		eachPlace(segs, func(from, n int) {
			p := place{Slot{seen[i].Method, maskedTemplate(segs, from, n)}, n}
			if words[p] == nil {
				words[p] = &wordsAt{}
			}
			words[p].add(seen[i].Calls, segs[from:from+n])
		})
	}
	out := map[Slot]Evidence{}
	for p, at := range words {
		if at.areValues(p.n) {
			out[p.Slot] = at.evidence(p.n)
		}
	}
	return out
}

func TestPlaceWithManyWordsIsNotFoundByItsHash(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 21))
		var seen []Seen
		for range 3000 {
			path := ""
			for range 1 + r.IntN(5) {
				kinds := []string{"orders", "users", "api", "v1", "{id}", "w-" + letters(r.IntN(130), 3), "x-" + letters(r.IntN(90), 3), ""}
				path += "/" + kinds[r.IntN(1+r.IntN(len(kinds)))]
			}
			seen = append(seen, Seen{[]string{"GET", "PUT"}[r.IntN(2)], path, 1 + r.Uint64N(3)})
		}
		for i := range 4000 {
			seen = append(seen, Seen{"GET", fmt.Sprintf("/repos/own-%s/proj-%s/x", letters(i%120, 3), letters(i*7%130, 3)), 1},
				Seen{"PUT", fmt.Sprintf("/api/shop-%d/w-%s", i%4, letters(r.IntN(80+10*(i%4)), 3)), 2})
		}
		if got, want := valuesOf(seen), countedByText(seen); !reflect.DeepEqual(got, want) || len(want) < 1 {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
	}
}
