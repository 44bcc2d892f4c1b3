package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// grid is a table before it is printed.
type grid struct {
	screen  *Screen
	columns []gridColumn
	rows    [][]any
}

type gridColumn struct {
	head  string
	leave int
	texts []gridCell
}

// gridCell is a cell as it is shown.
type gridCell struct {
	text  string // escaped
	style style
	whole bool // not narrowed: a part of it says something else
	prose bool // it is broken into lines
	loose bool // last cell of a row that is shorter than the others: it goes on over the columns after it
}

func (g *grid) print() error {
	for i := range g.columns {
		g.render(i)
	}
	if g.screen.Width == 0 {
		widths := make([]int, len(g.columns))
		for i := range g.columns {
			widths[i] = g.columns[i].width()
		}
		return g.lines(widths)
	}
	fields := make([]field, len(g.columns))
	for i := range g.columns {
		fields[i] = g.columns[i].field(i == len(g.columns)-1)
	}
	if id := g.idColumn(); id < len(fields) {
		fields[id].id, fields[id].good = true, min(fields[id].want, good)
	}
	layout := fit(fields, g.screen.Width)
	if layout.records {
		return g.records()
	}
	if err := g.lines(layout.widths); err != nil {
		return err
	}
	return g.leftOut(layout.widths)
}

// render makes the shown cells of a column.
func (g *grid) render(column int) {
	c := &g.columns[column]
	c.texts = make([]gridCell, len(g.rows))
	var ids []string
	for _, row := range g.rows {
		if column < len(row) {
			if id, is := row[column].(ID); is {
				text, _, _ := strings.Cut(string(id), more)
				ids = append(ids, text)
			}
		}
	}
	var short map[string]string
	if g.screen.Width > 0 {
		short = shortIDs(ids)
	}
	timed, aged := false, false
	for i, row := range g.rows {
		if column >= len(row) {
			continue
		}
		switch v := row[column].(type) {
		case ID:
			text, others, several := strings.Cut(string(v), more)
			if s, is := short[text]; is {
				text = s
			}
			if several {
				text += more + others
			}
			c.texts[i] = gridCell{text: Dash(Text(text)), whole: true}
		case Word:
			c.texts[i] = gridCell{text: Dash(Text(string(v))), whole: true}
		case Prose:
			c.texts[i] = gridCell{text: Dash(Text(string(v))), prose: true}
		case Alarm:
			c.texts[i] = gridCell{text: Text(string(v)) + "!", style: alarm, whole: true}
		case Moment:
			aged = aged || v.Screen == ""
			timed = true
			c.texts[i] = gridCell{text: Text(v.shown(g.screen)), whole: true}
		case string, []string, error, fmt.Stringer:
			c.texts[i] = gridCell{text: fmt.Sprint(visible(v))}
		default:
			text := fmt.Sprint(visible(v))
			_, named := visible(v).(string) // a type of words
			c.texts[i] = gridCell{text: text, whole: !named}
		}
	}
	for i, row := range g.rows {
		c.texts[i].loose = column == len(row)-1 && column < len(g.columns)-1
	}
	c.head = g.headOf(c.head, timed, aged)
}

// headOf returns the head of a column of times: ages are in no time zone.
func (g *grid) headOf(head string, timed, aged bool) string {
	bare, in := strings.CutSuffix(head, " (UTC)")
	switch {
	case !timed || !in:
		return head
	case g.screen.Width > 0 && aged:
		return bare
	case g.screen.Zone != nil && g.screen.Zone != time.UTC:
		return bare + " (" + g.screen.Zone.String() + ")"
	}
	return head
}

// width is that of the longest cell.
func (c *gridColumn) width() int {
	n := runewidth.StringWidth(c.head)
	for i := range c.texts {
		if !c.texts[i].loose {
			n = max(n, runewidth.StringWidth(c.texts[i].text))
		}
	}
	return n
}

// idColumn returns the column that the next command takes: the first one, or the second after a column of marks.
func (g *grid) idColumn() int {
	if len(g.columns) > 0 && strings.TrimSpace(g.columns[0].head) == "" {
		return 1
	}
	return 0
}

// field returns what the layout knows of the column; last: it is the last one of the table.
func (c *gridColumn) field(last bool) field {
	f := field{want: c.width(), leave: c.leave, least: runewidth.StringWidth(c.head)} // no head is cut
	floor := minText
	if last {
		floor = minFinal
	}
	for i := range c.texts {
		if c.texts[i].loose {
			continue
		}
		n := runewidth.StringWidth(c.texts[i].text)
		if !c.texts[i].whole {
			n = min(n, floor)
		}
		f.least = max(f.least, n)
		if last && !c.texts[i].whole {
			f.good = max(f.good, min(runewidth.StringWidth(c.texts[i].text), good))
		}
	}
	return f
}

// lines prints the heads and the rows; a column of width 0 is left out.
func (g *grid) lines(widths []int) error {
	var b strings.Builder
	g.line(&b, widths, func(c *gridColumn) gridCell { return gridCell{text: c.head, style: strong} }, len(g.columns))
	for i, row := range g.rows {
		g.line(&b, widths, func(c *gridColumn) gridCell { return c.texts[i] }, len(row))
	}
	_, err := io.WriteString(g.screen, b.String())
	return err
}

// line prints a row of the first cells; it takes several lines of the screen if a reason does.
func (g *grid) line(b *strings.Builder, widths []int, cell func(*gridColumn) gridCell, cells int) {
	type part struct {
		lines []string
		style style
		width int
	}
	var parts []part
	height, used := 1, 0
	for i := range min(len(widths), cells) {
		if widths[i] == 0 {
			continue
		}
		v := cell(&g.columns[i])
		p := part{style: v.style, width: widths[i]}
		room := widths[i]
		if v.loose && g.screen.Width > 0 {
			room = g.screen.Width - used
		} else if v.loose {
			room = math.MaxInt
		}
		if p.lines = []string{cut(v.text, room)}; v.prose {
			p.lines = wrap(v.text, room)
		}
		height = max(height, len(p.lines))
		used += widths[i] + gap
		parts = append(parts, p)
	}
	for n := range height {
		pad := 0 // spaces that no text needs yet
		for _, p := range parts {
			text := ""
			if n < len(p.lines) {
				text = p.lines[n]
			}
			if text != "" || n == 0 {
				b.WriteString(strings.Repeat(" ", pad) + g.screen.styled(text, p.style))
				pad = 0
			}
			pad += p.width - runewidth.StringWidth(text) + gap
		}
		b.WriteByte('\n')
	}
}

// leftOut prints which columns a screen has no room for.
func (g *grid) leftOut(widths []int) error {
	var heads []string
	for i, n := range widths {
		if n == 0 {
			heads = append(heads, g.columns[i].head)
		}
	}
	if len(heads) == 0 || len(g.rows) == 0 {
		return nil
	}
	const lead = "-o wide has also "
	for _, line := range wrap(lead+strings.Join(heads, ", "), g.screen.Width) {
		if _, err := io.WriteString(g.screen, g.screen.styled(line, weak)+"\n"); err != nil {
			return err
		}
	}
	return nil
}
