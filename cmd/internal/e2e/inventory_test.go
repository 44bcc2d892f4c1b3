package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The first steps of a new operator: the callers, the problems with their identities, their
// calls, and what to protect first.
func TestInventoryTellsANewOperatorWhereToBegin(t *testing.T) {
	const doc = "openapi: 3.0.3\ninfo: {title: Shop, version: '1'}\npaths:\n  /v1/invoices/{invoice}:\n    delete:\n      " +
		"x-flyball-reversibility: compensable\n      responses: {'204': {description: gone}}\n"
	f := install(t, "", "")
	if err := os.WriteFile(f.dir+"/shop.yaml", []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	more := `
agents: [{id: billing-bot, consumer: billing-bot, owner: kim@shop.example, tags: [money], criticality: high}]
routes: [{openapi: ` + f.dir + `/shop.yaml}, {tool: wire_money, effect: pay, reversibility: irreversible, amount: "arg:amount"}]
`
	if err := os.WriteFile(f.config, append(b, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()
	var lines []string
	at := time.Now().Truncate(time.Minute).Add(-time.Minute) // all within one minute
	n := 0
	add := func(more string) {
		n++
		lines = append(lines, fmt.Sprintf(`{"start_time":%q,"duration":5,%s}`,
			at.Add(time.Duration(n)*10*time.Millisecond).UTC().Format(time.RFC3339Nano), more))
	}
	for i := range 6 {
		add(fmt.Sprintf(`"method":"DELETE","path":"/v1/orders/%d","response_code":204,"x_consumer":"cleanup-bot","x_agent_run_id":"r1"`, 100+i))
		add(fmt.Sprintf(`"method":"DELETE","path":"/v1/invoices/%d","response_code":204,"x_consumer":"billing-bot","x_agent_run_id":"r2"`, 100+i))
	}
	add(`"method":"POST","path":"/mcp","response_code":200,"x_consumer":"billing-bot","mcp.method.name":"tools/call","mcp.tool.name":"wire_money","tool_arguments":{"amount":"99.50","to":"x"},"x_agent_run_id":"r2"`)
	add(`"method":"GET","path":"/v1/orders","response_code":200,"x_consumer":"billing-bot","x_agent_id":"somebody-else"`)
	add(`"method":"GET","path":"/v1/orders","response_code":200,"api_key_id":"key-7","x_agent_id":"red"`)
	add(`"method":"GET","path":"/v1/orders","response_code":200,"api_key_id":"key-7","x_agent_id":"blue"`)
	add(`"method":"GET","path":"/v1/orders","response_code":200,"jwt_payload":{"sub":"u-1","client_id":"app","act":{"sub":"helper"},"iat":1700000000,"exp":1800000000}`)
	for range 130 {
		add(`"method":"GET","path":"/v1/orders/7","response_code":200,"jwt_payload":{"sub":"kim","client_id":"app","idtyp":"user"}`)
	}
	f.send(lines...)
	f.until("all calls", 30*time.Second, fmt.Sprint(n), func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })

	var agents []struct {
		AgentID, Owner, Criticality string
		AgentTrust                  string `json:"agent_trust"`
		ID                          string `json:"agent_id"`
		Hygiene                     []struct{ Kind, Subject string }
	}
	f.json(&agents, "agents")
	kinds := map[string][]string{}
	for _, a := range agents {
		for _, h := range a.Hygiene {
			kinds[h.Kind] = append(kinds[h.Kind], h.Subject)
		}
		if a.ID == "billing-bot" && (a.Owner != "kim@shop.example" || a.Criticality != "high") {
			t.Errorf("%+v", a)
		}
	}
	for kind, subject := range map[string]string{"identity_conflict": "billing-bot", "several_agents_behind": "key-7",
		"human_like_an_agent": "kim", "long_lived_token": "app", "no_owner": "cleanup-bot", "undeclared_irreversible": "DELETE /v1/orders/{id}"} {
		if !slices.Contains(kinds[kind], subject) {
			t.Errorf("%s does not name %s: %v", kind, subject, kinds)
		}
	}
	var routes []struct {
		Method, Route, Tool, Reversibility string
		ReversibilitySource                string `json:"reversibility_source"`
		Undeclared                         bool
	}
	f.json(&routes, "routes")
	byName := map[string]string{}
	for _, r := range routes {
		byName[r.Method+" "+r.Route+r.Tool] = fmt.Sprint(r.Reversibility, " ", r.ReversibilitySource, " ", r.Undeclared)
	}
	if byName["DELETE /v1/invoices/{invoice}"] != "compensable openapi false" ||
		byName["DELETE /v1/orders/{id}"] != "irreversible method true" || byName["POST /mcpwire_money"] != "irreversible operator false" {
		t.Errorf("%v", byName)
	}
	if amount, err := f.sql("SELECT attrs['amount'] FROM flyball.calls WHERE tool_name = 'wire_money'"); err != nil || amount != "99.50" {
		t.Errorf("amount %q %v", amount, err)
	}
	var start []struct {
		ID      string `json:"agent_id"`
		Calls   int
		Missing []string
		Learned learnedOfAgent
		Guarded []string `json:"guarded_by"`
		Would   []string `json:"would_guard"`
	}
	f.json(&start, "start-here")
	for i, s := range start {
		if s.Learned.Acquaintance != "nothing_learned" || s.Learned.WaitRuns != 20 || slices.Contains(s.Guarded, "repeats") ||
			!slices.Contains(s.Would, "manifest") || !slices.Contains(s.Would, "clean_runs") {
			t.Errorf("without a baseline, row %d: %+v", i, s)
		}
	}
	if len(start) == 0 || start[0].ID != "cleanup-bot" || start[0].Calls != 6 || !slices.Contains(start[0].Missing, "owner") {
		t.Errorf("%+v", start)
	}
	for _, args := range [][]string{{"agents"}, {"agents", "--hygiene"}, {"routes"}, {"start-here"}, {"coverage"}, {"stitching"},
		{"stitching", "--by", "day"}} {
		if out := f.run([]int{0}, args...); len(strings.Split(out, "\n")) < 3 {
			t.Errorf("%v: %s", args, out)
		} else if testing.Verbose() {
			fmt.Println("$ flyball", strings.Join(args, " "))
			fmt.Println(out)
		}
	}
}

// Words in the position of values make one route instead of hundreds, after the guard has seen
// a day of them; the words become resources.
func TestGuardCollapsesARouteOfManyWords(t *testing.T) {
	f := install(t, "", "").start()
	send := func(from, to int) {
		var lines []string
		for i := from; i < to; i++ {
			lines = append(lines,
				fmt.Sprintf(`{"start_time":%q,"duration":5,"method":"GET","path":"/shop/items/blue-%c%c-shoe","response_code":200,"x_consumer":"shop-bot","x_agent_run_id":"r"}`,
					time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano), 'a'+i%26, 'a'+i/26))
		}
		f.send(lines...)
	}
	send(0, 130)
	// Anybody can invent words that no operation has: they must not make the operations beside them one route.
	invented := func(word string, status int) string {
		return fmt.Sprintf(`{"start_time":%q,"duration":5,"method":"POST","path":"/admin/jobs/%s","response_code":%d,"x_consumer":"shop-bot"}`,
			time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano), word, status)
	}
	var lines []string
	for i := range 130 {
		lines = append(lines, invented(fmt.Sprintf("job-%c%c", 'a'+i%26, 'a'+i/26), 404))
	}
	f.send(lines...)
	f.until("a route for each word", 30*time.Second, "260", func() (string,
		error) {
		return f.sql("SELECT uniqExact(route) FROM flyball.calls")
	})
	n := 0
	f.until("the guard's route", 90*time.Second, "/shop/items/{slug}\toverflow", func() (string, error) {
		n++
		if n%10 == 0 {
			send(130+n/10, 131+n/10)
		}
		return f.sql("SELECT argMax(route, source_offset), argMax(toString(route_source), source_offset) FROM flyball.calls")
	})
	f.send(invented("export", 200))
	f.until("the route of an operation beside invented words", 30*time.Second, "/admin/jobs/export", func() (string, error) {
		return f.sql("SELECT argMax(route, source_offset) FROM flyball.calls")
	})
}
