package boards

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/dashboards/plugin"
)

// eachPanel calls check with every panel of every dashboard.
func eachPanel(t *testing.T, check func(t *testing.T, b *Board, p *panel)) {
	for _, b := range All() {
		for i := range b.panels {
			p := &b.panels[i]
			t.Run(b.File()+"/"+p.title, func(t *testing.T) { check(t, &b, p) })
		}
	}
}

func TestPanelDoesNotSayWhatItShows(t *testing.T) {
	eachPanel(t, func(t *testing.T, _ *Board, p *panel) {
		for what, text := range map[string]string{"title": p.title, "description": p.about, "sentence without data": p.empty} {
			if text == "" || strings.ContainsAny(text, "$") {
				t.Errorf("%s: %q", what, text)
			}
		}
		if !strings.HasSuffix(p.about, ".") || !strings.HasSuffix(p.empty, ".") {
			t.Error("description and no-data text are sentences")
		}
		if p.unit == "" {
			t.Error("it has no unit")
		}
	})
}

func TestDashboardIsMoreThanAPersonCanLookAt(t *testing.T) {
	uids := map[string]bool{}
	for _, b := range All() {
		if len(b.panels) > 12 || len(b.panels) == 0 {
			t.Errorf("%s has %d panels, at most 12", b.UID, len(b.panels))
		}
		if uids[b.UID] || !strings.HasPrefix(b.UID, "flyball-") || b.About == "" {
			t.Errorf("uid %q, about %q", b.UID, b.About)
		}
		uids[b.UID] = true
	}
	if len(uids) != 8 {
		t.Errorf("%d dashboards", len(uids))
	}
}

func TestPanelLiesOnAnother(t *testing.T) {
	for _, b := range All() {
		taken := map[[2]uint32]string{}
		for _, either := range b.model().Panels {
			p := either.Panel
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]uint32{x, y}]; other != "" || x >= columns {
						t.Fatalf("%s: %q lies on %q at %d,%d", b.UID, *p.Title, other, x, y)
					}
					taken[[2]uint32{x, y}] = *p.Title
				}
			}
		}
	}
}

// pixelsOf is the width of a cell with a word of n characters.
func pixelsOf(n int) int { return n*74/10 + 12 }

func TestColumnIsCutAt1280Pixels(t *testing.T) {
	eachPanel(t, func(t *testing.T, _ *Board, p *panel) {
		if p.kind != "table" {
			return
		}
		sum, wide, names := 0, 0, map[string]bool{}
		for _, c := range p.columns {
			sum += c.width
			if c.wide {
				wide++
			}
			if c.width == 0 || names[c.name] {
				t.Errorf("column %q: width %d, twice: %t", c.name, c.width, names[c.name])
			}
			names[c.name] = true
			if 7*len(cmp.Or(c.title, c.name))+12 > c.width {
				t.Errorf("the header of %q does not fit into %d", c.name, c.width)
			}
			if n := plugin.LineRunes(c.name); c.shown != "" && pixelsOf(n) > c.width {
				t.Errorf("%d characters of a name in column %q do not fit into %d", n, c.name, c.width)
			}
			if c.look == buttons && len(c.actions) == 0 || len(c.actions)*62 > c.width {
				t.Errorf("column %q: %d buttons in %d pixels", c.name, len(c.actions), c.width)
			}
		}
		if sum > pixels(p.w) || wide != 1 {
			t.Errorf("the columns need %d of %d pixels, and %d take what is left", sum, pixels(p.w), wide)
		}
	})
}

// Grafana opens a menu where a cell has several links, or a link and an action, and it opens for a mouse alone. Where the table handles the
// keys, the Tab key leaves out what is in its cells.
func TestCellIsForAMouseAlone(t *testing.T) {
	eachPanel(t, func(t *testing.T, _ *Board, p *panel) {
		if p.kind != "table" {
			return
		}
		for _, c := range p.columns {
			if len(c.links) > 1 || len(c.actions) > 0 && (c.look != buttons || len(c.links) > 0) {
				t.Errorf("column %q: %d links and %d actions in a menu", c.name, len(c.links), len(c.actions))
			}
		}
		if raw, err := json.Marshal(p.options); err != nil || !strings.Contains(string(raw), `"disableKeyboardEvents":true`) {
			t.Errorf("the Tab key does not reach links and buttons: %s %v", raw, err)
		}
	})
}

// A line over a gap shows calls that nobody made.
func TestChartJoinsAGap(t *testing.T) {
	eachPanel(t, func(t *testing.T, b *Board, p *panel) {
		if p.kind != "timeseries" {
			return
		}
		raw, err := json.Marshal(p.custom)
		if err != nil || !strings.Contains(string(raw), `"spanNulls":false`) {
			t.Errorf("%s %v", raw, err)
		}
	})
}

func TestColourIsNotOfThePalette(t *testing.T) {
	colour := regexp.MustCompile(`"(?:color|fixedColor|iconColor)": "([^"]*)"`)
	for _, b := range All() {
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		found := colour.FindAllSubmatch(raw, -1)
		for _, m := range found {
			if c := string(m[1]); !slices.Contains(palette, c) && c != "transparent" && c != "text" {
				t.Errorf("%s: %s", b.File(), c)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s has no colour", b.File())
		}
	}
}

// A threshold without a meaning is a colour without a meaning.
func TestThresholdIsNotSaidInTheDescription(t *testing.T) {
	eachPanel(t, func(t *testing.T, _ *Board, p *panel) {
		if p.threshold == nil {
			return
		}
		last := p.threshold.Steps[0]
		for _, s := range p.threshold.Steps[1:] {
			if last.Value != nil && *s.Value <= *last.Value {
				t.Error("the steps do not rise")
			}
			last = s
		}
		if text := strings.ToLower(p.about); !strings.Contains(text, "red") && !strings.Contains(text, "orange") && !strings.Contains(text,
			"lines:") {
			t.Errorf("%q does not say what the colours mean", p.about)
		}
	})
}
