package deadletter

import (
	"strings"
	"testing"
)

// An original that a newer version sealed is not taken for one that is gone.
func TestOriginalOfTheNextVersionIsTakenForGone(t *testing.T) {
	seal, err := NewSeal([]byte("the key of the deployment"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal.close("place", []byte("key"), []byte("value"))
	if _, value, err := seal.open("place", sealed); err != nil || string(value) != "value" {
		t.Fatalf("%q, %v", value, err)
	}
	sealed[0] = sealVersion + 1
	if _, _, err := seal.open("place", sealed); err == nil || !strings.Contains(err.Error(), "sealed in version 2; this flyball reads 1: "+
		"use a newer one") {
		t.Errorf("%v", err)
	}
}
