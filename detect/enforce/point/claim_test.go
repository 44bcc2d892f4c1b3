package point

import (
	"errors"
	"fmt"
	"testing"

	"flyball/schema"
)

func TestWaitingClaimedCallersTakeNoPlaceOfOthers(t *testing.T) {
	c := newWaiting()
	var full error
	for i := range 1000 {
		if _, err := c.add(fmt.Sprint("invented", i), claimant(schema.StandingClaimed)); err != nil {
			full = err
		}
	}
	if !errors.Is(full, ErrTooManyClaims) || len(c.byID) != maxWaiting[claimant(schema.StandingClaimed)] {
		t.Errorf("%d claims of claimed callers wait: %v", len(c.byID), full)
	}
	for _, of := range []claimant{claimant(schema.StandingProven), claimant(schema.StandingEstablished), operators} {
		for i := range maxWaiting[of] {
			if _, err := c.add(fmt.Sprint(of, i), of); err != nil {
				t.Fatalf("claim %d of %v: %v", i, of, err)
			}
		}
	}
	for id := range c.byID {
		c.remove(id)
		c.remove(id)
	}
	if c.n != [len(maxWaiting)]int{} {
		t.Errorf("%v places are taken by nobody", c.n)
	}
}
