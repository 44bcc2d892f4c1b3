package route

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"flyball/schema"
)

// An amount can be in any of the declared places; a value that is not an amount is ignored.
func TestAmountsAreFoundWhereTheOperatorSays(t *testing.T) {
	for where, c := range map[string]struct {
		in   Input
		path string
		attr schema.Attr
		want string
	}{
		"arg:amount":        {in: Input{Args: []byte(`{"amount":"49.90"}`)}, want: "49.90"},
		"arg:a.b":           {in: Input{Args: []byte(`{"a":{"b":7}}`)}, want: "7"},
		"arg:missing":       {in: Input{Args: []byte(`{"amount":1}`)}},
		"arg:list":          {in: Input{Args: []byte(`{"list":[1]}`)}},
		"query:amount":      {in: Input{RawQuery: "x=1&amount=12"}, want: "12"},
		"path:amount":       {path: "/pay/250", want: "250"},
		"header:x-amount":   {attr: schema.Attr{Key: "header.X-Amount", Value: "3.5"}, want: "3.5"},
		"field:amount_cent": {attr: schema.Attr{Key: "amount_cent", Value: "350"}, want: "350"},
		"field:words":       {attr: schema.Attr{Key: "words", Value: "many"}},
	} {
		table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"),
			Operator: []Rule{{Template: "/pay/{amount}", Amount: where}, {Tool: "pay", Amount: where}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []schema.Call{{Method: "POST", Path: cmp.Or(c.path, "/pay/x")},
			{ToolName: "pay", MCPMethod: "tools/call", Path: c.path}} {
			if call.ToolName != "" && c.path != "" {
				continue
			}
			if c.attr.Key != "" {
				call.Attrs = []schema.Attr{c.attr}
			}
			table.Classify(&call, &c.in)
			got := ""
			for _, a := range call.Attrs {
				if a.Key == AttrAmount {
					got = a.Value
				}
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q (%+v)", where, got, c.want, call.Attrs)
			}
		}
	}
	if _, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"),
		Operator: []Rule{{Template: "/x", Amount: "body.amount"}}}); err == nil {
		t.Error("a place that is none was taken")
	}
}

// The name of an AWS operation determines the effect of the call.
func TestAWSOperationsSayWhatTheyDo(t *testing.T) {
	table, _ := NewTable(Options{DigestKey: []byte("0123456789abcdef")})
	for op, want := range map[string]schema.Effect{"dynamodb:DeleteTable": schema.EffectDelete, "s3:GetObject": schema.EffectRead,
		"ses:SendEmail": schema.EffectSend, "iam:CreateAccessKey": schema.EffectCreate, "ec2:TerminateInstances": schema.EffectDelete} {
		c := schema.Call{OpKind: schema.OpAWSAPI, Operation: op}
		table.Classify(&c, &Input{})
		if c.Effect != want {
			t.Errorf("%s: %s", op, c.Effect)
		}
	}
}

// For any order of members and spelling of keys, an amount is used only if all readers of the
// call read the same amount.
func FuzzAmountIsTheOnlyOne(f *testing.F) {
	for _, s := range [][2]string{{"amount=10&amount=100000", `{"amount":10}`}, {"amount=10", `{"amount":100000,"amount":10}`},
		{"amount=10;amount=1", `{"a":{"amount":1},"amount":2}`}, {"%61mount=1&amount=2", `{"\u0061mount":1}`},
		{"amount[]=1", `[{"amount":1}]`}, {"Amount=5", `{"amount":1}{"amount":2}`}, {"amount=1e1", `{"amount":1e1}`},
		{"amount=NaN", `{"amount":"Infinity"}`}, {"amount", "\xef\xbb\xbf{\"amount\":1}"}} {
		f.Add(s[0], s[1])
	}
	tables := map[string]*Table{}
	for _, where := range []string{"query:amount", "arg:amount"} {
		tb, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: []Rule{{Template: "/pay", Amount: where, Currency: "EUR"}}})
		if err != nil {
			f.Fatal(err)
		}
		tables[where] = tb
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		for where, tb := range tables {
			c := schema.Call{Method: "POST", Path: "/pay"}
			in := Input{RawQuery: query}
			in.ReadBody("POST", []byte(body))
			tb.Classify(&c, &in)
			got := c.Attr(AttrAmount)
			if got == "" {
				continue
			}
			if !isDecimal(got) || strings.ContainsAny(got, "eE+-") {
				t.Fatalf("%q is noted", got)
			}
			if where == "query:amount" {
				v, err := url.ParseQuery(query)
				if all := v["amount"]; err != nil || len(all) > 1 || len(all) == 1 && all[0] != got {
					t.Fatalf("%q: %q is noted, others read %q (%v)", query, got, all, err)
				}
				continue
			}
			var last map[string]any
			in2 := json.NewDecoder(strings.NewReader(body))
			in2.UseNumber()
			if err := in2.Decode(&last); err != nil {
				t.Fatalf("%q: %q is noted of no JSON: %v", body, got, err)
			}
			if n := strings.Count(strings.ToLower(body), `"amount"`); n > 1 && len(last) == 1 && !strings.ContainsAny(body, "[{"[:1]) &&
				strings.Count(body, "{") == 1 && strings.Count(body, `\`) == 0 && strings.Count(body, `"`) == 2*n {
				t.Fatalf("%q: %q is noted of %d", body, got, n)
			}
			var typed struct{ Amount json.RawMessage } // accepts keys in any case; the last one is used
			if json.Unmarshal([]byte(body), &typed) == nil && strings.Trim(string(typed.Amount), `"`) != got &&
				!strings.Contains(string(typed.Amount), `\`) {
				t.Fatalf("%q: %q is noted, Go's services read %s", body, got, typed.Amount)
			}
		}
	})
}
