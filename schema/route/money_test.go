package route

import (
	"testing"

	"flyball/schema"
)

// An amount may stand anywhere; what is none is not taken for one.
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
		table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: []Rule{{Template: "/pay/{amount}", Amount: where}, {Tool: "pay", Amount: where}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []schema.Call{{Method: "POST", Path: first(c.path, "/pay/x")}, {ToolName: "pay", MCPMethod: "tools/call", Path: c.path}} {
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
	if _, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: []Rule{{Template: "/x", Amount: "body.amount"}}}); err == nil {
		t.Error("a place that is none was taken")
	}
}

// What AWS calls an operation says what it does.
func TestAWSOperationsSayWhatTheyDo(t *testing.T) {
	table, _ := NewTable(Options{DigestKey: []byte("0123456789abcdef")})
	for op, want := range map[string]schema.Effect{"dynamodb:DeleteTable": schema.EffectDelete, "s3:GetObject": schema.EffectRead, "ses:SendEmail": schema.EffectSend, "iam:CreateAccessKey": schema.EffectCreate, "ec2:TerminateInstances": schema.EffectDelete} {
		c := schema.Call{OpKind: schema.OpAWSAPI, Operation: op}
		table.Classify(&c, &Input{})
		if c.Effect != want {
			t.Errorf("%s: %s", op, c.Effect)
		}
	}
}
