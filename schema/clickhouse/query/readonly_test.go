package query

import "testing"

// A name with a blank did not look like one of another database.
func TestTableOfAnotherDatabaseIsRead(t *testing.T) {
	for _, c := range []struct {
		line    string
		outside bool
	}{
		{"     TableIdentifier calls", false},
		{"     TableIdentifier flyball.calls (alias c)", false},
		{"     TableIdentifier system.users", true},
		{"     TableIdentifier system.users (alias u)", true},
		{"     TableIdentifier pay roll.salaries", true},
		{"     TableIdentifier pay roll.salaries (alias s)", true},
		{"     Identifier pay roll.salaries.amount", true},
		{"     Identifier calls.path", false},
	} {
		if got := nameOutside(c.line, "flyball", []string{"system", "pay roll"}); (got != "") != c.outside {
			t.Errorf("%q: %q is outside", c.line, got)
		}
	}
}
