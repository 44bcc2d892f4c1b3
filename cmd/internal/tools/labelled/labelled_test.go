package labelled

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"flyball/schema"
)

// labelledFolder is a set of one run, in which the calls of a turn were made in
// another order than the one they are numbered in.
func labelledFolder(t *testing.T) string {
	t.Helper()
	line := func(seq, ts, method, caller string) string {
		return `{"dataset":"tau","run_id":"r","agent_id":"shop/a","task_id":"t","caller_kind":"` + caller + `",` +
			`"seq":` + seq + `,"ts":143185710` + ts + `,"method":"` + method +
			`","path":"/shop/orders/7","path_template":"/shop/orders/{order_id}","resources":["order:7","item:9"],"args_digest":"d` + seq + `",` +
			`"status":200}` + "\n"
	}
	dir := filepath.Join(
		folder(
			t,
			"tau",
			line(
				"0",
				"1000",
				"GET",
				"agent",
			)+line(
				"1",
				"2000",
				"GET",
				"human_simulated",
			)+line(
				"2",
				"4000",
				"PUT",
				"agent",
			)+line(
				"3",
				"3000",
				"GET",
				"agent",
			),
		),
		"tau",
	)
	f, err := os.Create(filepath.Join(dir, "runs.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	defer z.Close()
	if _, err := z.Write([]byte(`{"run_id":"r","dataset":"tau","agent_id":"shop/a","task_id":"t","label":{"first_malicious_seq":2,` +
		`"onset_seq":3}}` + "\n")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLabelsFollowTheirCalls(t *testing.T) {
	runs, err := Examples(labelledFolder(t), Full)
	if err != nil || len(runs) != 1 || len(runs[0].Calls) != 3 {
		t.Fatalf("%v: %+v", err, runs)
	}
	r := runs[0]
	if r.Calls[1].Method != "GET" || r.Calls[2].Method != "PUT" || *r.Label.FirstMalicious != 2 || r.Label.Onset != 1 {
		t.Errorf("calls %+v, label %+v", r.Calls, r.Label)
	}
	if l := r.ForEvaluation(); l.FirstBad != 2 || l.Onset != 1 || !l.Calls[2].Write || l.Start != r.Calls[0].StartTime() ||
		l.Agent != "shop/a" ||
		l.Group != "shop" {
		t.Errorf("%+v", l)
	}
}

func TestAccessLogShowsNeitherBodiesNorTask(t *testing.T) {
	dir := labelledFolder(t)
	for view, want := range map[View]struct {
		task     string
		basis    schema.DigestBasis
		get, put int // resources
	}{Full: {"t", schema.DigestLogged, 2, 2}, Access: {"", schema.DigestURL, 2, 1}, Gateway: {"", schema.DigestURL, 2, 2}} {
		runs, err := Examples(dir, view)
		if err != nil {
			t.Fatal(err)
		}
		c, put := runs[0].Calls[0], runs[0].Calls[2]
		if c.TaskID != want.task || c.ArgsDigestBasis != want.basis || put.ArgsDigestBasis != want.basis || c.Route != "/shop/orders/{order_id}" {
			t.Errorf("view %d: %+v", view, c)
		}
		if len(c.Resources) != want.get || len(put.Resources) != want.put || put.Resources[0].String() != "order:7" {
			t.Errorf("view %d: resources %v of GET, %v of PUT", view, c.Resources, put.Resources)
		}
		if l := runs[0].ForEvaluation(); l.LoggedTask != want.task || l.Task != "t" || len(l.Calls[2].Resources) != 2 {
			t.Errorf("view %d: %+v", view, l)
		}
	}
}
