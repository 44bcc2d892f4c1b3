package report

import (
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

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
