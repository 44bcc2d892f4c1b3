package learn

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// inventedRoutes is how many routes callers with claimed names invent. FLYBALL_TEST_ROUTES=250000 is all that can be learned of them.
func inventedRoutes() int {
	n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_ROUTES"))
	if err != nil {
		return 40_000
	}
	return n
}

func TestInventedRoutesFillTheBaseline(t *testing.T) {
	run := func(n int, agent, group string, routes ...string) *baseline.TrainingRun {
		r := &baseline.TrainingRun{ID: fmt.Sprint("r", n), Agent: agent, Group: group, Start: int64(n)}
		var f feature.RunMemory
		for i, route := range routes {
			c := feature.Input{Route: feature.RouteHash(route), Args: uint64(n*1000 + i), Result: uint64(i), Bytes: 100}
			r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, route)
		}
		return r
	}
	var runs []*baseline.TrainingRun
	for i := range 300 {
		runs = append(runs, run(i, fmt.Sprint("team/", i%5), "team", "GET /orders/{id}", fmt.Sprint("GET /collection-", i%50), "POST /notes"))
	}
	invented := inventedRoutes()
	for i := 0; i < invented; i += 50 {
		var routes []string
		for n := range 50 {
			routes = append(routes, fmt.Sprintf("GET /static/%x/%x/page", (i+n)*2654435761, i+n))
		}
		runs = append(runs, run(1000+i, fmt.Sprint("~inv/", i%2000), "inv", routes...))
	}
	body := baseline.New("t")
	began := time.Now()
	left := limitRoutes(runs)
	for _, r := range runs {
		body.Learn(r)
	}
	body.Finish()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d routes invented: %d have common names, the baseline has %d KB, %v", invented, left, len(text)>>10, time.Since(began))
	if n := len(body.Routes["inv"]) + len(body.Routes["team"]); n > maxTaughtRoutes+otherRoutes || left != invented+52-maxTaughtRoutes {
		t.Errorf("%d routes are known, %d are not", n, left)
	}
	if len(body.Routes["team"]) != 52 || body.Routes["team"]["GET /orders/{id}"] == (baseline.Counts{}) {
		t.Errorf("the routes of a known group are %v", body.Routes["team"])
	}
	if most := 16 << 20; len(text) > most {
		t.Errorf("the baseline has %d bytes, at most %d", len(text), most)
	}
	for _, r := range runs[:300] {
		if r.Routes[0] != "GET /orders/{id}" {
			t.Fatalf("%q", r.Routes)
		}
	}
}

func TestLongNamesOfRoutesFillTheBaseline(t *testing.T) {
	r := &baseline.TrainingRun{Agent: "~a"}
	for i := range 10_000 {
		r.Routes = append(r.Routes, fmt.Sprintf("GET /%0700d", i))
	}
	left := limitRoutes([]*baseline.TrainingRun{r})
	bytes := 0
	for _, name := range r.Routes {
		if len(name) > 700 {
			bytes += len(name)
		}
	}
	if left == 0 || bytes > maxTaughtNames || bytes < maxTaughtNames*9/10 {
		t.Errorf("%d bytes of names are known, %d routes are not", bytes, left)
	}
}

func TestFewRoutesAreRenamed(t *testing.T) {
	r := &baseline.TrainingRun{Agent: "a"}
	for i := range maxTaughtRoutes {
		r.Routes = append(r.Routes, fmt.Sprint(i))
	}
	if left := limitRoutes([]*baseline.TrainingRun{r}); left != 0 || r.Routes[7] != "7" {
		t.Errorf("%d", left)
	}
}
