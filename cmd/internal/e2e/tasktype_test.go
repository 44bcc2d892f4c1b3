package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The type that an orchestrator declares for a run is used for learning, scoring and display;
// the task in the header of the run's caller is not.
func TestDeclaredTaskIsNotWhatARunIsComparedBy(t *testing.T) {
	f := install(t, "", "")
	configure(t, f, fmt.Sprintf(`detect: {run_gap: 3s, lateness: 1s}
control: {point: test, listen: "127.0.0.1:%d"}
learn: {quarantine: 0s, window: 240h, every: 10h, min_runs: 42}`, f.ports["control"]))
	f.start("FLYBALL_LEARN_MIN_RUNS=1000000") // it learns only by command
	const agent = "fleet/a1"
	sent := 0
	run := func(key, declared string, calls int) {
		if declared != "" {
			f.run([]int{0}, "task", "declare", agent, key, "--type", declared, "--for", "10m", "--force")
			f.check(agent, key, "GET", "/v1/orders/1")
		}
		var lines []string
		for i := range calls {
			lines = append(lines, strings.TrimSuffix(record(time.Now().Add(time.Duration(i)*time.Millisecond), agent, key,
				fmt.Sprintf("/v1/orders/%d", i%7), "GET", 200, 400+i), "}")+`,"x_task_id":"archive"}`)
		}
		f.send(lines...)
		sent += calls
	}
	stored := func() {
		t.Helper()
		f.until("the runs are stored", time.Minute, fmt.Sprint(sent), func() (string, error) {
			return f.sql("SELECT sum(calls) FROM flyball.runs")
		})
	}
	for i := range 21 {
		run(fmt.Sprint("archive-", i), "archive", 40)
		run(fmt.Sprint("plain-", i), "", 4)
	}
	stored()
	f.until("the check has told the tasks", 20*time.Second, "21", func() (string, error) {
		return f.sql("SELECT uniqExact(run_id) FROM flyball.calls WHERE attrs['flyball.task_type'] = 'archive'")
	})
	f.until("the past is closed", time.Minute, "1", func() (string, error) {
		run("later", "", 1)
		time.Sleep(300 * time.Millisecond)
		return f.sql("SELECT countIf(state = 'closed') >= 42 FROM flyball.runs WHERE run_key != 'later'")
	})
	f.run([]int{0}, "learn", "--once")
	var shown struct {
		Tasks []struct {
			Type string `json:"task_type"`
			Runs int
		} `json:"task_types"`
	}
	f.json(&shown, "baselines", "show", "--agent", agent)
	if len(shown.Tasks) != 1 || shown.Tasks[0].Type != "archive" || shown.Tasks[0].Runs != 21 {
		t.Fatalf("%+v", shown)
	}
	if text := f.run([]int{0}, "baselines", "show", "--agent", agent); !strings.Contains(text, `task type   "archive": 21 runs; usual`) {
		t.Error(text)
	}
	f.until("the agent's calls are scored by the baseline", time.Minute, "1", func() (string, error) {
		run("probe", "", 1)
		time.Sleep(300 * time.Millisecond)
		return f.sql("SELECT count() > 0 FROM flyball.scores WHERE baseline_version != ''")
	})
	run("now-declared", "archive", 40)
	run("now-asserted", "", 40)
	stored()
	f.until("their scores by the baseline are stored", time.Minute, "2", func() (string, error) {
		return f.sql("SELECT uniqExact(run_id) FROM flyball.scores WHERE baseline_version != '' AND run_id IN " +
			"(SELECT run_id FROM flyball.runs WHERE run_key IN ('now-declared', 'now-asserted'))")
	})
	for key, as := range map[string]string{"now-declared": agent + "\x1ftarchive", "now-asserted": agent} {
		var again struct {
			Same   bool
			As     string `json:"compared_as"`
			Score  float64
			Stored float64 `json:"stored_score"`
			Caveat string
		}
		f.json(&again, "baselines", "rescore", key)
		if again.As != as || again.Stored == 0 || !again.Same {
			t.Errorf("%s: %+v", key, again)
		}
	}
}
