package report

import (
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"
)

// Screen is a writer that knows what it shows on. Tables that are printed to a Screen with a width fit it, with ages and short ids;
// tables that are printed to any other writer have the whole values and no colour.
type Screen struct {
	io.Writer
	Width  int            // in columns; 0: not a terminal, or whole values are wanted
	Colour bool           // escape sequences for colour may be printed
	Now    time.Time      // ages are relative to it
	Zone   *time.Location // of the times in tables; nil: UTC
}

// defaultWidth is the width of a terminal that does not tell it, in columns.
const defaultWidth = 80

// NewScreen returns a Screen of the terminal that a writer is. A pipe, a file and any other writer have no width and no colour.
// NO_COLOR and TERM=dumb in the environment turn colour off.
func NewScreen(w io.Writer, now time.Time, zone *time.Location) *Screen {
	s := &Screen{Writer: w, Now: now, Zone: zone}
	f, is := w.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		if width, err = strconv.Atoi(os.Getenv("COLUMNS")); err != nil || width <= 0 {
			width = defaultWidth
		}
	}
	s.Width, s.Colour = width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

// Whole returns the screen without a width: its tables have the whole values.
func (s *Screen) Whole() *Screen {
	whole := *s
	whole.Width = 0
	return &whole
}

// Clear removes what the screen shows, if it is a terminal.
func (s *Screen) Clear() error {
	if s.Width == 0 {
		return nil
	}
	_, err := io.WriteString(s.Writer, "\x1b[H\x1b[2J\x1b[3J")
	return err
}

// screenOf returns the screen that a writer is; for another writer, one without a width.
func screenOf(w io.Writer) *Screen {
	if s, is := w.(*Screen); is {
		return s
	}
	return &Screen{Writer: w}
}

// style is the look of a cell where there is colour.
type style string

const (
	plain  style = ""
	strong style = "\x1b[1m"
	alarm  style = "\x1b[1;31m"
	weak   style = "\x1b[2m"
)

// styled returns a text in a style; without colour, the text.
func (s *Screen) styled(text string, in style) string {
	if !s.Colour || in == plain {
		return text
	}
	return string(in) + text + "\x1b[0m"
}
