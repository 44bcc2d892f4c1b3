package demo

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// times repeats a block of calls.
func times(n int, c ...call) (out []call) {
	for range n {
		out = append(out, c...)
	}
	return out
}

func TestRepetitionIsLeftOutByAStatedRule(t *testing.T) {
	get := func(path string) call { return call{Method: "GET", Path: path, Status: 200, Sent: 10} }
	post := func(path string, body int) call {
		return call{Method: "POST", Path: path, Status: 200, Sent: 4, Body: body}
	}
	failing := call{Method: "POST", Path: "/x", Status: 500, Sent: 90}
	block := []call{get("/a"), get("/b"), post("/users/Bob/messages", 71), post("/users/Eve/messages", 71)}
	var bodies, numbers, words []call
	for i := range 9 {
		bodies = append(bodies, post("/messages", 40+i))
		words = append(words, get("/page/"+string(rune('a'+i))))
	}
	for i := range 10 {
		numbers = append(numbers, get("/orders/"+string(rune('0'+i))))
	}
	for name, c := range map[string]struct {
		calls []call
		want  string
	}{
		"one call five times":                  {times(5, get("/a")), ""},
		"one call six times":                   {times(6, get("/a")), "one call with one answer 6 times"},
		"a block of four calls three times":    {times(3, block...), ""},
		"a block of four calls four times":     {times(4, block...), "10 calls that repeat an earlier one with the same answer"},
		"messages of nine lengths to one chat": {bodies, ""},
		"nine pages by name":                   {words, ""},
		"three failures of one call":           {times(3, failing), ""},
		"four failures of one call":            {times(4, failing), "4 failures of one method and path"},
		"ten orders one by one":                {numbers, "10 calls that differ at most in digits of the path"},
	} {
		if got := count(c.calls, inLog).leftOut(); got != c.want {
			t.Errorf("%s: left out because of %q, want %q", name, got, c.want)
		}
	}
}

func TestArgumentsTellCallsOfOneSizeApart(t *testing.T) {
	a, b := call{Method: "POST", Path: "/think", Body: 50, Arguments: "a"}, call{Method: "POST", Path: "/think", Body: 50, Arguments: "b"}
	if log, record := count([]call{a, b}, inLog).repeats, count([]call{a, b}, inRecord).repeats; log != 1 || record != 0 {
		t.Errorf("repeats in the log %d, as recorded %d: want 1 and 0", log, record)
	}
}

func TestPlayLeavesOutTheSameRunsForEverySeed(t *testing.T) {
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"one call with one answer 6 times": 33, "10 calls that repeat an earlier one with the same answer": 1,
		"4 failures of one method and path": 7, "10 calls that differ at most in digits of the path": 11,
	}
	for seed := range uint64(3) {
		history, live, out := split(all, rand.New(rand.NewPCG(seed, 1)))
		if len(live) != 200 || len(history)+len(live)+52 != len(all) || !maps.Equal(out, want) {
			t.Fatalf("seed %d: %d live, %d history of %d runs, left out %v", seed, len(live), len(history), len(all), out)
		}
	}
}
