package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"flyball/schema"
)

// Grafana has one process of the plugin for all data sources: two Flyballs, asked at the same time, must answer of their own database, and
// a button must reach the control API of its own.
func TestDataSourceAnswersOfAnotherFlyball(t *testing.T) {
	h := startPlugin(t)
	type one struct {
		agent  string
		calls  int
		config *pluginv2.PluginContext
		breaks func() int
	}
	var all []one
	for i, agent := range []string{"north/bot", "south/bot"} {
		s, f := newStore(t), deploy(t)
		s.deletes("acme", agent, 1, schema.LevelNone, slices.Repeat([]schema.Outcome{ok}, 2+i)...) // the same id of the run in both
		config := configured(t, fields{"addr": s.addr, "database": s.conn.Database(), "controlUrl": f.url}, tokenGrafana, "Editor")
		f.Ask(agent, "k1", "GET", "/v1/orders/1", "")
		all = append(all, one{agent, 2 + i, config, func() int { return len(f.Breakers()) }})
	}
	var wait sync.WaitGroup
	for range 10 {
		for _, x := range all {
			wait.Go(func() {
				agents, err := framesOf(t, h, x.config, `{"queryType":"agents"}`)
				if err != nil {
					t.Error(err)
					return
				}
				if got := column(agents, "agent"); len(got) != 1 || got[0] != x.agent {
					t.Errorf("agents of the Flyball of %s: %q", x.agent, got)
				}
				touched, err := framesOf(t, h, x.config, `{"queryType":"touched","run":"task-1"}`)
				if err != nil {
					t.Error(err)
				} else if rows := touched.Rows(); rows != x.calls {
					t.Errorf("resources that %s touched: %d, want %d", x.agent, rows, x.calls)
				}
			})
		}
	}
	wait.Wait()
	status, body := callResource(t, h, all[0].config, "breakers/trip", `{"run":"k1","reason":"looks wrong","for":"15m"}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if all[0].breaks() != 1 || all[1].breaks() != 0 {
		t.Errorf("breakers: %d of the asked one, %d of the other", all[0].breaks(), all[1].breaks())
	}
}

// framesOf asks one question of the built plugin, and returns the first frame of the answer.
func framesOf(t *testing.T, h *host, config *pluginv2.PluginContext, query string) (*data.Frame, error) {
	q := oneQuery(config, query)
	q.Queries[0].TimeRange.FromEpochMS -= (2 * time.Hour).Milliseconds()
	answer, err := h.data.QueryData(t.Context(), q)
	if err != nil {
		return nil, err
	}
	r := answer.Responses["A"]
	if r.GetError() != "" {
		return nil, fmt.Errorf("%s", r.GetError())
	}
	frames, err := data.UnmarshalArrowFrames(r.Frames)
	if err != nil {
		return nil, err
	}
	return frames[0], nil
}
