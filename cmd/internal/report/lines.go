package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-runewidth"
)

// Lines prints lines with cells that are aligned in columns, without heads. It escapes control characters in cells. A row without
// cells begins a new block of lines. On a screen, a last cell that is too long goes on below its beginning.
func Lines(w io.Writer, rows func(row func(cells ...any))) error {
	s := screenOf(w)
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, gap, ' ', 0)
	var ends []rowEnds
	rows(func(cells ...any) {
		var e rowEnds
		for i, c := range cells {
			text := fmt.Sprint(cellText(c))
			if i > 0 {
				fmt.Fprint(t, "\t")
			} else {
				e.first = text
			}
			e.last = text
			fmt.Fprint(t, text)
		}
		ends = append(ends, e)
		fmt.Fprintln(t)
	})
	if err := t.Flush(); err != nil {
		return err
	}
	text := b.String()
	if s.Width > 0 {
		text = hang(text, ends, s.Width)
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

// rowEnds are the first and the last cell of a row.
type rowEnds struct{ first, last string }

// hang breaks the lines that are wider than a screen within their last cell. A last cell that begins in the right half of the screen
// goes on a line of its own, below the second cell.
func hang(text string, ends []rowEnds, width int) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if runewidth.StringWidth(line) <= width || i >= len(ends) {
			b.WriteString(line + "\n")
			continue
		}
		last := ends[i].last
		before := strings.TrimSuffix(line, last)
		if indent := runewidth.StringWidth(before); indent > width/2 {
			after := strings.TrimPrefix(line, ends[i].first)
			below := strings.Repeat(" ", runewidth.StringWidth(ends[i].first)+leadOf(after))
			b.WriteString(strings.TrimRight(before, " ") + "\n")
			before = below
		}
		b.WriteString(foldAfter(before, last, width) + "\n")
	}
	return b.String()
}
