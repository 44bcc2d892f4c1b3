package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-runewidth"

	"flyball/schema/clickhouse/query"
)

// Column is one column of a table: its head, and a function that returns its cell for a row. A column whose head ends in "?"
// may be left out on a narrow screen; one with more of them is left out earlier.
type Column[T any] struct {
	Head string
	Cell func(*T) any
}

// Rows prints rows as a table for people.
func Rows[T any](w io.Writer, rows []T, columns []Column[T]) error {
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.Head
	}
	return table(w, heads, func(row func(...any)) {
		for i := range rows {
			cells := make([]any, len(columns))
			for k, c := range columns {
				cells[k] = c.Cell(&rows[i])
			}
			row(cells...)
		}
	})
}

// Table prints a table with rows of different kinds. heads are the heads of its columns,
// separated by " | ", each as in Column.
func Table(w io.Writer, heads string, rows func(row func(cells ...any))) error {
	return table(w, strings.Split(heads, " | "), rows)
}

// table prints all tables. It escapes control characters in cells.
func table(w io.Writer, heads []string, rows func(row func(cells ...any))) error {
	g := grid{screen: screenOf(w)}
	for _, h := range heads {
		name := strings.TrimRight(h, "?")
		g.columns = append(g.columns, gridColumn{head: name, leave: len(h) - len(name)})
	}
	rows(func(cells ...any) { g.rows = append(g.rows, append([]any{}, cells...)) })
	return g.print()
}

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
				ids = append(ids, string(id))
			}
		}
	}
	var short map[string]string
	if g.screen.Width > 0 {
		short = shortIDs(ids)
	}
	timed := false
	for i, row := range g.rows {
		if column >= len(row) {
			continue
		}
		switch v := row[column].(type) {
		case ID:
			text := string(v)
			if s, is := short[text]; is {
				text = s
			}
			c.texts[i] = gridCell{text: Dash(Text(text)), whole: true}
		case Word:
			c.texts[i] = gridCell{text: Dash(Text(string(v))), whole: true}
		case Alarm:
			c.texts[i] = gridCell{text: Text(string(v)) + "!", style: alarm, whole: true}
		case Moment:
			timed = true
			text := v.in(g.screen.Zone)
			if g.screen.Width > 0 && !v.At.IsZero() {
				text = Age(v.At, g.screen.Now)
			} else if g.screen.Width > 0 {
				text = strings.TrimSpace(text)
			}
			c.texts[i] = gridCell{text: Text(text), whole: true}
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
	c.head = g.headOf(c.head, timed)
}

// headOf returns the head of a column of times: ages are in no time zone.
func (g *grid) headOf(head string, timed bool) string {
	bare, in := strings.CutSuffix(head, " (UTC)")
	switch {
	case !timed || !in:
		return head
	case g.screen.Width > 0:
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
	last := len(widths) - 1
	for last > 0 && widths[last] == 0 {
		last--
	}
	total := g.screen.Width
	if total == 0 {
		total = math.MaxInt
	}
	var b strings.Builder
	line := func(cell func(*gridColumn) gridCell, cells int) {
		end, used := min(last, cells-1), 0
		for i := range g.columns {
			if widths[i] == 0 || i > end {
				continue
			}
			v := cell(&g.columns[i])
			room := widths[i]
			if v.loose {
				room = total - used
			}
			text := cut(v.text, room)
			used += widths[i] + gap
			b.WriteString(g.screen.styled(text, v.style))
			if i < end {
				b.WriteString(strings.Repeat(" ", widths[i]-runewidth.StringWidth(text)+gap))
			}
		}
		b.WriteByte('\n')
	}
	line(func(c *gridColumn) gridCell { return gridCell{text: c.head, style: strong} }, len(g.columns))
	for i, row := range g.rows {
		line(func(c *gridColumn) gridCell { return c.texts[i] }, len(row))
	}
	_, err := io.WriteString(g.screen, b.String())
	return err
}

// cut returns a text that is at most so wide; what is missing is marked by "…".
func cut(text string, width int) string {
	if runewidth.StringWidth(text) <= width {
		return text
	}
	return runewidth.Truncate(text, width, "…")
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

// records prints each row as a block of lines, for screens that are too narrow for columns. A head that is wider than half of the screen
// takes several lines.
func (g *grid) records() error {
	var b strings.Builder
	heads := 0
	for i := range g.columns {
		heads = max(heads, min(runewidth.StringWidth(g.columns[i].head), g.screen.Width/2))
	}
	for i := range g.rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for k := range g.columns {
			c := &g.columns[k]
			if k >= len(g.rows[i]) || c.texts[i].text == "-" || strings.TrimSpace(c.texts[i].text) == "" {
				continue
			}
			lines := wrap(c.head, heads)
			head := lines[len(lines)-1]
			for _, above := range lines[:len(lines)-1] {
				b.WriteString(g.screen.styled(above, strong) + "\n")
			}
			b.WriteString(g.screen.styled(head, strong) + strings.Repeat(" ", heads-runewidth.StringWidth(head)+gap))
			for n, part := range wrap(c.texts[i].text, max(g.screen.Width-heads-gap, 1)) {
				if n > 0 {
					b.WriteString(strings.Repeat(" ", heads+gap))
				}
				b.WriteString(g.screen.styled(part, c.texts[i].style) + "\n")
			}
		}
	}
	_, err := io.WriteString(g.screen, b.String())
	return err
}

// wrap breaks a text into lines of at most a width, at spaces where there are some.
func wrap(text string, width int) (lines []string) {
	rest := text
	for runewidth.StringWidth(rest) > width {
		head := runewidth.Truncate(rest, width, "")
		if head == "" {
			break // a character is wider than the line
		}
		if i := strings.LastIndexByte(head, ' '); i > 0 && !strings.HasPrefix(rest[len(head):], " ") {
			head = head[:i]
		}
		lines = append(lines, head)
		rest = strings.TrimLeft(rest[len(head):], " ")
	}
	if rest != "" || len(lines) == 0 {
		lines = append(lines, rest)
	}
	return lines
}

// Lines prints lines with cells that are aligned in columns, without heads. It escapes control characters in cells. A row without
// cells begins a new block of lines. On a screen, a last cell that is too long goes on below its beginning.
func Lines(w io.Writer, rows func(row func(cells ...any))) error {
	s := screenOf(w)
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, gap, ' ', 0)
	var finals []string
	rows(func(cells ...any) {
		final := ""
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			final = fmt.Sprint(cellText(c))
			fmt.Fprint(t, final)
		}
		finals = append(finals, final)
		fmt.Fprintln(t)
	})
	if err := t.Flush(); err != nil {
		return err
	}
	text := b.String()
	if s.Width > 0 {
		text = hang(text, finals, s.Width)
	}
	_, err := io.WriteString(w, text)
	return err
}

// cellText returns a cell of a line as it is shown.
func cellText(c any) any {
	switch v := c.(type) {
	case Alarm:
		return Text(string(v)) + "!"
	case Moment:
		return Text(v.Text)
	}
	return visible(c)
}

// hang breaks the lines that are wider than a screen within their last cell.
func hang(text string, finals []string, width int) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		indent := 0
		if i < len(finals) {
			indent = runewidth.StringWidth(line) - runewidth.StringWidth(finals[i])
		}
		if runewidth.StringWidth(line) <= width || indent < 0 || width-indent < minText || i >= len(finals) {
			b.WriteString(line + "\n")
			continue
		}
		for n, part := range wrap(finals[i], width-indent) {
			lead := strings.Repeat(" ", indent)
			if n == 0 {
				lead = strings.TrimSuffix(line, finals[i])
			}
			b.WriteString(lead + part + "\n")
		}
	}
	return b.String()
}

// Second returns an RFC 3339 time with seconds, in the form of tables. Another text is
// returned as by Dash.
func Second(stamp string) string { return stampAs(time.DateTime, stamp) }

// Millisecond returns the time of day of an RFC 3339 time with milliseconds. Another text is
// returned as by Dash.
func Millisecond(stamp string) string { return stampAs("15:04:05.000", stamp) }

func stampAs(layout, stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return Dash(stamp)
	}
	return t.UTC().Format(layout)
}

const clockLayout = "2006-01-02 15:04:05.000"

// clock returns a time with milliseconds; for a time that is not known, "-" in the same width.
func clock(t query.Time) string {
	if t.IsZero() {
		return fmt.Sprintf("%-*s", len(clockLayout), "-")
	}
	return t.UTC().Format(clockLayout)
}

// Dash returns a text, or "-" if it is empty.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
