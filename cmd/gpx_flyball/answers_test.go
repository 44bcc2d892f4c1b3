package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// answersDir is where tests keep the answers to the panels of the dashboards, for dashboards/front/test/draw.mjs; empty: nowhere.
var answersDir = os.Getenv("FLYBALL_ANSWERS")

// boardAnswers are the answers to the panels of a dashboard, in their order.
type boardAnswers struct {
	UID     string            `json:"uid"`
	Values  map[string]string `json:"values"`
	Answers []panelAnswers    `json:"answers"`
}

type panelAnswers struct {
	Answers []backend.DataResponse `json:"answers"`
}

// keep asks every dashboard with the variables that choose returns, and keeps the answers under a name.
func (v *viewer) keep(t *testing.T, name string, choose func(*dashboard) map[string]string) {
	t.Helper()
	if answersDir == "" {
		return
	}
	out := struct {
		From   int64          `json:"from"`
		To     int64          `json:"to"`
		Boards []boardAnswers `json:"boards"`
	}{From: v.from.UnixMilli(), To: v.to.UnixMilli()}
	for _, d := range dashboards(t) {
		b := boardAnswers{UID: d.UID, Values: choose(&d)}
		for i := range d.Panels {
			var p panelAnswers
			for _, target := range d.Panels[i].Targets {
				p.Answers = append(p.Answers, v.see(target, b.Values))
			}
			b.Answers = append(b.Answers, p)
		}
		out.Boards = append(out.Boards, b)
	}
	raw, err := json.Marshal(out)
	if err == nil {
		err = os.MkdirAll(answersDir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(answersDir, name+".json"), raw, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
