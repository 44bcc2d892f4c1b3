package message

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/mattn/go-runewidth"

	"flyball/alerts/incident"
	"flyball/schema"
	"flyball/schema/wording"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

// samples returns the pages of testdata/pages by their names.
func samples(t testing.TB) map[string]*incident.Page {
	t.Helper()
	files, err := filepath.Glob("testdata/pages/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	out := map[string]*incident.Page{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p := new(incident.Page)
		if err := json.Unmarshal(text, p); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if name == "hostile" {
			p.Commands[1] = "flyball breakers reset agent " + wording.ShellWord(p.AgentID) + " --if-match 1 --reason '…'"
		}
		out[name] = p
	}
	return out
}

func TestTextOfAPageChanges(t *testing.T) {
	for name, p := range samples(t) {
		m := Of(p)
		html, err := m.HTML()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", m.Text())
		golden(t, name+".html", html)
	}
}

// A rate of 4.6e-189 was printed, and figures that a person has to convert.
func TestFiguresNobodyCanRead(t *testing.T) {
	for name, p := range samples(t) {
		m := Of(p)
		text := strings.ToLower(m.Text())
		for _, bad := range []string{"e-", "e+", "nan", "inf ", "nats", "%!", "0.000"} {
			for i, line := range strings.Split(text, "\n") {
				for word := range strings.FieldsSeq(line) {
					if strings.Trim(strings.Split(word, bad)[0], "0123456789.(") == "" && strings.Contains(word, bad) && name != "hostile" {
						t.Errorf("%s, line %d: %s", name, i+1, line)
					}
				}
			}
		}
	}
	for nats, want := range map[float64]string{0: "not unlikely", 1.9: "1 in 7", 5: "1 in 150",
		12: "1 in 160,000", 433: "less than 1 in a million"} {
		if got := likelihood(nats); got != want {
			t.Errorf("%v nats: %s, want %s", nats, got, want)
		}
	}
}

func TestLineIsWiderThanTheScreen(t *testing.T) {
	for name, p := range samples(t) {
		m := Of(p)
		text := m.Text()
		for i, line := range strings.Split(text, "\n") {
			if w := runewidth.StringWidth(line); w > columns && !(name == "hostile" && strings.Contains(text, "printf")) {
				t.Errorf("%s, line %d has %d columns: %s", name, i+1, w, line)
			}
		}
	}
}

// Each message says what to do next in three commands at most, with ids filled in.
func TestNextStepIsMissingOrHasAPlaceholder(t *testing.T) {
	for name, p := range samples(t) {
		m := Of(p)
		if len(m.Next) == 0 || len(m.Next) > maxSteps {
			t.Errorf("%s: %d steps", name, len(m.Next))
		}
		for _, s := range m.Next {
			if strings.Contains(s.Command, "RUN") || strings.Contains(s.Command, schema.RunID{}.String()) || s.Say == "Run" {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
	m := Of(samples(t)["denied"])
	for i, want := range []string{"flyball run 0192f0a1", "flyball touched 0192f0a1",
		"flyball breakers reset credential c_7d --if-match 812"} {
		if !strings.HasPrefix(m.Next[i].Command, want) {
			t.Errorf("step %d: %s", i+1, m.Next[i].Command)
		}
	}
}

func TestTextOfAnAgentActsInAMessage(t *testing.T) {
	p := samples(t)["hostile"]
	m := Of(p)
	html, err := m.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{m.Text(), html} {
		for _, r := range text {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%U in %s", r, text)
			}
		}
		for _, bad := range []string{"<!channel>", "<script", "](http", "@everyone", "javascript:", "\nBcc:"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s in\n%s", bad, text)
			}
		}
	}
	if len(m.Links) != 0 {
		t.Errorf("links %v", m.Links)
	}
}

// A command is broken into lines that a shell joins again, and not inside of a name.
func TestCommandOfAMessageCannotBePasted(t *testing.T) {
	const hostile = "x --y '\\' \n --z `id` $(id) \" --reason <!channel> @here"
	for _, name := range []string{"billing/bot", hostile, strings.Repeat("long name --for you ", 9), "ends\n"} {
		command := "printf '%s|' " + wording.ShellWord(name) + " --if-match 12345678 --reason '…' --for 1h"
		out, err := exec.Command("bash", "-c", strings.Join(continued(command), "\n")).Output()
		if want := name + "|--if-match|12345678|--reason|…|--for|1h|"; err != nil || string(out) != want {
			t.Errorf("%q, %v; want %q\n%s", out, err, want, strings.Join(continued(command), "\n"))
		}
		if got := wording.ShellWord(name); schema.Chat(got) != got {
			t.Errorf("%s is markup in a chat", got)
		}
	}
}

func TestTruncatedTextHasNoMarkOrIsTooLong(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("é", 300), strings.Repeat("日本", 300), strings.Repeat("🙂", 90)} {
		for _, n := range []int{0, 1, 5, 30, 130, 255, 1024} {
			got := Fit(s, n)
			if c := len([]rune(got)); c > n || !strings.HasPrefix(s, strings.TrimSuffix(strings.TrimSuffix(got, cut), "…")) {
				t.Errorf("%d of %.10s: %q", n, s, got)
			}
			if n > 0 && got != s && !strings.Contains(got, "…") || strings.ContainsRune(got, unicode.ReplacementChar) {
				t.Errorf("%d of %.10s has no mark: %q", n, s, got)
			}
		}
	}
}

func FuzzMessageOfHostileNames(f *testing.F) {
	f.Add("a<!channel>", "b\x00\r\n", 3)
	f.Fuzz(func(t *testing.T, agent, summary string, n int) {
		p := incident.Page{AgentID: agent, Summary: summary, RunKey: agent, Tenant: summary, Level: schema.Level(n & 3), Kind: incident.Opened,
			RunID: schema.RunID{1}, Commands: []string{"flyball breakers reset agent " + wording.ShellWord(agent) + " --if-match 1"}}
		m := Of(&p)
		html, err := m.HTML()
		for _, text := range []string{m.Text(), html, fmt.Sprint(m)} {
			if err != nil || strings.Contains(text, "<!channel") || strings.ContainsAny(text, "\r\x1b\u202e\x00") {
				t.Fatalf("%q %v", text, err)
			}
		}
	})
}
