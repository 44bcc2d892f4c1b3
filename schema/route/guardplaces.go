package route

import (
	"hash/maphash"
	"slices"
	"strings"
)

// maxSideBySide is the maximum number of positions side by side that are values: owner and name of a
// repository, or organisation, project and branch.
const maxSideBySide = 3

// place is a position, or positions side by side, in templates that are equal in all else.
type place struct {
	Slot
	n int // positions
}

// valuesOf returns the templates with positions that each have more than maxLiterals different words. Of positions side by side, one
// alone never has: each word occurs beside other ones.
func valuesOf(seen []Seen) map[Slot]Evidence {
	often := newFrequentPlaces()
	for i := range seen {
		often.count(&seen[i])
	}
	words := map[place]*wordsAt{}
	for i := range seen {
		s := &seen[i]
		segs := segmentsOf(s)
		often.each(s.Method, segs, func(from, n int) {
			p := place{Slot{s.Method, maskedTemplate(segs, from, n)}, n}
			if words[p] == nil {
				words[p] = &wordsAt{}
			}
			words[p].add(s.Calls, segs[from:from+n])
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

func segmentsOf(s *Seen) []string { return strings.Split(strings.Trim(s.Route, "/"), "/") }

// maskedTemplate returns the template of segments of which n from an index on are values.
func maskedTemplate(segs []string, from, n int) string {
	masked := slices.Clone(segs)
	for i := range n {
		masked[from+i] = slug
	}
	return "/" + strings.Join(masked, "/")
}

// eachPlace calls take for the places of a template: each word behind the collection's name, and the words side by side.
func eachPlace(segs []string, take func(from, n int)) {
	beneath := false // the first word of a path names a collection and is never a value
	for i, seg := range segs {
		if seg == "" || strings.HasPrefix(seg, "{") || isGeneral(seg) {
			continue
		}
		if beneath {
			take(i, 1)
		}
		beneath = true
	}
	for from := 1; from < len(segs); from++ {
		for n := 2; n <= maxSideBySide && from+n <= len(segs) && areWords(segs, from, n); n++ {
			take(from, n)
		}
	}
}

// frequentPlaces counts the templates at each place by the hash of the place. A caller invents thirty places with each path that it
// makes up, so their texts are kept only where there are more than maxLiterals templates: with fewer there are not as many words.
// Places with one remainder share a counter, which is then too high and never too low.
type frequentPlaces struct {
	seed      maphash.Seed
	templates []uint8 // up to MaxWords
}

// placeCounters is the number of counters; the largest number of places is that of 200,000 templates with thirty each.
const placeCounters = 1 << 23

func newFrequentPlaces() *frequentPlaces {
	return &frequentPlaces{maphash.MakeSeed(), make([]uint8, placeCounters)}
}

// count counts a template at each of its places.
func (f *frequentPlaces) count(s *Seen) {
	segs := segmentsOf(s)
	h := f.hash(s.Method, segs)
	eachPlace(segs, func(from, n int) {
		if c := &f.templates[h.of(from, n)%placeCounters]; *c < MaxWords {
			*c++
		}
	})
}

// each calls take for the places of a counted template that have enough templates to be values.
func (f *frequentPlaces) each(method string, segs []string, take func(from, n int)) {
	h := f.hash(method, segs)
	eachPlace(segs, func(from, n int) {
		if f.templates[h.of(from, n)%placeCounters] > maxLiterals {
			take(from, n)
		}
	})
}

// placeHashes has the hashes of a template's segments, each at its index.
type placeHashes struct {
	all             uint64 // of the whole template
	segments, slugs []uint64
}

func (f *frequentPlaces) hash(method string, segs []string) placeHashes {
	h := placeHashes{all: maphash.String(f.seed, method), segments: make([]uint64, len(segs)), slugs: make([]uint64, len(segs))}
	value := maphash.String(f.seed, slug)
	for i, seg := range segs {
		at := maphash.Comparable(f.seed, i) | 1
		h.segments[i], h.slugs[i] = maphash.String(f.seed, seg)*at, value*at
		h.all += h.segments[i]
	}
	return h
}

// of returns the hash of the template with n values from an index on.
func (h *placeHashes) of(from, n int) uint64 {
	all := h.all + uint64(n)
	for i := from; i < from+n; i++ {
		all += h.slugs[i] - h.segments[i]
	}
	return all
}

// wordsAt holds the different words at positions side by side, up to MaxWords at each, and the
// number of calls with them.
type wordsAt struct {
	words [maxSideBySide]map[string]bool
	calls uint64
}

func (w *wordsAt) add(calls uint64, words []string) {
	w.calls += calls
	for i, word := range words {
		if w.words[i] == nil {
			w.words[i] = map[string]bool{}
		}
		if len(w.words[i]) < MaxWords {
			w.words[i][word] = true
		}
	}
}

// areValues reports whether there are too many words for names at each of n positions.
func (w *wordsAt) areValues(n int) bool {
	return !slices.ContainsFunc(w.words[:n], func(at map[string]bool) bool { return len(at) <= maxLiterals })
}

func (w *wordsAt) evidence(n int) Evidence {
	e := Evidence{Calls: w.calls}
	for _, at := range w.words[:n] {
		e.Words = append(e.Words, len(at))
	}
	return e
}
