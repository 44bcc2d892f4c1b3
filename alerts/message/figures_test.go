package message

import (
	"testing"

	"flyball/schema"
)

func TestUsualValueOfNothingLearnedIsANumberInANotification(t *testing.T) {
	pace := schema.Contribution{Feature: "calls_in_quarter_hour", Observed: 40, Usual: schema.Unknown,
		Peers: schema.Unknown, Humans: schema.Unknown}
	unlearned, known := pace, pace
	unlearned.UsualOf = "nothing_learned"
	known.UsualOf, known.Usual, known.Peers = "own", 10, 12
	for want, c := range map[string]schema.Contribution{
		"calls in a quarter of an hour: 40 calls":                                           pace,
		"calls in a quarter of an hour: 40 calls, usual nothing learned":                    unlearned,
		"calls in a quarter of an hour: 40 calls, usual (its own) 10 calls, peers 12 calls": known,
	} {
		if got := Lines(figuresOf([]schema.Contribution{c}), "; "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
