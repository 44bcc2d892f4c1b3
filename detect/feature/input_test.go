package feature

import (
	"testing"

	"flyball/schema"
)

// seen adds calls to a run and returns for each whether it is a repeat.
func seen(calls ...schema.Call) (repeats []bool) {
	var run RunMemory
	for i := range calls {
		var c Input
		Extract(&calls[i], &c)
		repeats = append(repeats, run.Add(&c).Repeat)
	}
	return repeats
}

func get(bytes uint64, status uint16) schema.Call {
	c := schema.Call{
		Method:            "GET",
		Route:             "/jobs/{id}",
		RouteKey:          "/jobs/{id}",
		ArgsDigest:        7,
		BytesOut:          bytes,
		Status:            status,
		ResultDigestBasis: schema.DigestOutcome,
	}
	c.Outcome = schema.OutcomeOK
	if status >= 400 {
		c.Outcome = schema.OutcomeServerError
	}
	return c
}

func TestPollingWhoseAnswerChangesIsNoLoop(t *testing.T) {
	if got := seen(get(100, 200), get(101, 200), get(102, 200)); got[1] || got[2] {
		t.Fatalf("repeats %v", got)
	}
	if got := seen(get(100, 200), get(100, 200)); !got[1] {
		t.Fatal("the same call with the same answer is none")
	}
}

func TestErrorPagesOfOtherSizesAreTheSameFailure(t *testing.T) {
	if got := seen(get(100, 503), get(190, 503)); !got[1] {
		t.Fatal("two failures are two results")
	}
}

// By the words of their routes, DELETE /messages/7 has the effect send and DELETE /roles/7 the effect grant.
func TestDeletionIsOneWhateverItsRouteIsAbout(t *testing.T) {
	for method, want := range map[string]bool{"DELETE": true, "POST": false} {
		var c Input
		Extract(&schema.Call{Method: method, RouteKey: "/messages/{}", Effect: schema.EffectSend}, &c)
		if c.Delete != want {
			t.Errorf("%s: %v", method, c.Delete)
		}
	}
}

func TestCycleOfFiveIsSeen(t *testing.T) {
	var calls []schema.Call
	for i := range 10 {
		c := get(50, 200)
		c.ArgsDigest = uint64(i % 5)
		calls = append(calls, c)
	}
	for i, r := range seen(calls...) {
		if r != (i >= 5) {
			t.Errorf("call %d: repeat %v", i+1, r)
		}
	}
}

// A client can invent any number of keys: the memory is limited, and a
// cycle within the limit is still detected.
func TestMemoryOfARunIsBounded(t *testing.T) {
	var run RunMemory
	for i := range 100_000 {
		c := Input{Route: uint64(i), Args: uint64(i), Resources: []uint64{uint64(i)}}
		run.Add(&c)
	}
	for i := range 400 {
		c := Input{Route: 1, Args: uint64(i % 200)}
		if s := run.Add(&c); i >= 200 && !s.Repeat {
			t.Fatalf("call %d of a cycle of 200 is not seen", i)
		}
	}
	n := len(run.keys.entries) + len(run.asked.entries) + len(run.routes.entries) + len(run.resources.entries)
	if n > 2*maxKeys+maxRoutes+maxResources {
		t.Fatalf("%d things remembered", n)
	}
}
