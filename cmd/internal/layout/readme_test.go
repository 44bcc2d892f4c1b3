package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/ingest/decode"
	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// The mapping in ingest/README.md for an unknown gateway must work as described.
func TestTheMappingOfTheReadmeReadsItsGateway(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ingest", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```yaml\n# moat.yaml")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("ingest/README.md shows no mapping")
	}
	own, err := mapping.Compile("moat.yaml", []byte("# moat.yaml"+block))
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("0123456789abcdef0123456789abcdef")
	id, err := identity.NewResolver(identity.Options{Tenant: "acme", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.NewTable(route.Options{DigestKey: key})
	if err != nil {
		t.Fatal(err)
	}
	p, err := decode.New(decode.Options{Default: decode.Input{Format: "moat"}, Mappings: []*mapping.Program{own}}, id, table)
	if err != nil {
		t.Fatal(err)
	}
	const line = `{"t":1790933415474,"took":57000,"req":{"verb":"POST","full_path":"/orders/7/refunds?dry=1","path":"/refunds","url":"https://shop.example/refunds","hdrs":{"X-Agent-Run-Id":"run-7"}},` +
		`"code":429,"peer":"10.9.1.17|edge","caller":{"app":"refund-helper","key":"s3cr3t-key-of-nobody"},"verdict":"SLOW_DOWN","pop":"fra","noise":1}`
	calls, dead := p.Decode(&decode.Record{Topic: "moat-logs", Value: []byte(line), Timestamp: 1790933420e9}, nil)
	if len(calls) != 1 || len(dead) != 0 {
		t.Fatal(calls, dead)
	}
	c := calls[0]
	if c.Start != 1790933415417e6 || c.DurationNs != 57e6 || c.Method != "POST" || c.Path != "/orders/7/refunds" || c.Host != "shop.example" ||
		c.ClientIP.String() != "10.9.1.17" || c.Status != 429 {
		t.Errorf("%+v", c)
	}
	if c.AgentID != "refund-helper" || c.AgentTrust != schema.TrustInfrastructure || c.RunKey != "run-7" ||
		c.Outcome != schema.OutcomeRateLimited || !strings.HasPrefix(c.CredentialID, "k_") {
		t.Errorf("%+v", c)
	}
	if len(c.Attrs) != 1 || c.Attrs[0].Value != "fra" {
		t.Errorf("%+v", c.Attrs)
	}
}
