package manifest

import (
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// FuzzParse: every manifest that can be parsed evaluates every call without a panic, and its
// printed text is parsed to the same manifest.
func FuzzParse(f *testing.F) {
	f.Add([]byte(refunds))
	for text := range wrong {
		f.Add([]byte(text)[:min(len(text), 200)])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		for _, c := range []*schema.Call{call("GET", "/v1/orders/{id}", nil), call("DELETE", "/", nil), call("", "", paying("5", "EUR")),
			call("POST", "/v1/refunds", paying("1e9", ""))} {
			for _, at := range []int64{0, -1, monday, 1<<63 - 1} {
				a := m.Evaluate(&enforce.Request{Call: c, Task: &schema.Task{Type: "refund", Targets: []string{"order:*"}, Expires: at}}, at)
				if a.Why == "" || a.Action > schema.ActionDeny {
					t.Fatalf("%+v", a)
				}
			}
		}
		again, err := m.Document.Text()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("what it prints is refused: %v\n%s", err, again)
		}
	})
}

// FuzzAmount: an amount is read exactly, or it is an error.
func FuzzAmount(f *testing.F) {
	for _, s := range []string{"50", "49.995", ".5", "1e3", "-1", "99999999999999999999", "0.0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := call("POST", "/", nil)
		c.SetAttr(route.AttrAmount, s)
		if n, _, ok := AmountInThousandths(c); ok && (n < 0 || n > 1e17+1000) {
			t.Fatalf("%q: %d", s, n)
		}
	})
}
