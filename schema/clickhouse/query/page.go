package query

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flyball/schema"
)

// Page is a part of a long answer.
type Page[T any] struct {
	Rows []T `json:"rows"`
	// Next is the cursor of the page after this one; empty: this is the last page. It is good for the same question alone.
	Next string `json:"next,omitempty"`
}

// cursorVersion is the first word of a cursor. A cursor of another version is refused.
const cursorVersion = "2"

// pagedQuestion is a question whose answer has pages.
type pagedQuestion struct {
	list string // what the answer lists; the command has the same name
	// what is asked about: names and values, one after the other. The window is not among them: one that ends now has other times when
	// the next page is asked for.
	what []string
	win  Window
	// asked is when the first page was asked for, whose window is win; zero: this is the first page, or not known.
	asked time.Time
}

// cursorBody is what a cursor has beside the words of its list and its question.
type cursorBody struct {
	Asked        int64           `json:",omitempty"`      // when the first page was asked for, Unix nanoseconds; 0: not known
	Since, Until int64           `json:",omitempty"`      // window that was asked for then, Unix nanoseconds; 0: no limit
	Place        json.RawMessage `json:"place,omitempty"` // the last row of the page
}

// digest is a short text that other questions do not have.
func (q *pagedQuestion) digest() string {
	text, err := json.Marshal(append([]string{q.list}, q.what...))
	if err != nil {
		panic(err) // of texts
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// cursor returns the cursor after a place.
func (q *pagedQuestion) cursor(ctx context.Context, place any) string {
	if q.asked.IsZero() {
		q.asked = askedAt(ctx)
	}
	raw, err := json.Marshal(place)
	if err == nil {
		raw, err = json.Marshal(cursorBody{nanosOf(q.asked), nanosOf(q.win.Since), nanosOf(q.win.Until), raw})
	}
	if err != nil {
		panic(err) // of texts and numbers
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join([]string{cursorVersion, q.list, q.digest(), string(raw)}, " ")))
}

// parse reads the place of a cursor that one of the pages of the question ended with, and sets the window to that of the first
// page.
func (q *pagedQuestion) parse(ctx context.Context, text string, place any) error {
	refused := func(why string, args ...any) error {
		return fmt.Errorf("after: %q %s; ask for the first page again, without a cursor", text, fmt.Sprintf(why, args...))
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	version, rest, words := strings.Cut(string(raw), " ")
	parts := strings.SplitN(rest, " ", 3)
	switch {
	case err != nil || !words:
		return refused("is no cursor: it must be the one that the page before ended with")
	case version != cursorVersion:
		return refused("is a cursor of version %.10q: it must be of version %s", version, cursorVersion)
	case len(parts) != 3 || parts[0] != q.list:
		return refused("is a cursor of %.20q: it must be one of %s", parts[0], q.list)
	case parts[1] != q.digest():
		return refused("is the cursor of another question: it must be of the same %s as the page before", strings.Join(q.names(), ", "))
	}
	var body cursorBody
	if json.Unmarshal([]byte(parts[2]), &body) != nil || json.Unmarshal(body.Place, place) != nil {
		return refused("is no cursor of %s: its place cannot be read", q.list)
	}
	first := Window{fromNanos(body.Since), fromNanos(body.Until)}
	if !sameWindow(first, q.win, askedAt(ctx).Sub(fromNanos(body.Asked))) {
		return refused("is the cursor of another period (since %s, until %s): it must be the same as that of the page before",
			orAny(first.Since), orAny(first.Until))
	}
	q.win, q.asked = first, fromNanos(body.Asked)
	return nil
}

// names are the names of what is asked about.
func (q *pagedQuestion) names() (out []string) {
	for i := 0; i < len(q.what); i += 2 {
		out = append(out, q.what[i])
	}
	return out
}

type askedAtKey struct{}

// AskedAt returns a context whose questions are asked at a time: their windows may be relative to it. Without one, the windows of all pages
// of an answer are the same times.
func AskedAt(ctx context.Context, now time.Time) context.Context {
	return context.WithValue(ctx, askedAtKey{}, now)
}

// askedAt is the time of AskedAt; zero: there is none.
func askedAt(ctx context.Context) time.Time {
	now, _ := ctx.Value(askedAtKey{}).(time.Time)
	return now
}

// sameWindow reports whether two windows are of one question that was asked again some time later: each end is the same time, or as
// long before now.
func sameWindow(first, again Window, later time.Duration) bool {
	same := func(a, b time.Time) bool {
		if a.IsZero() || b.IsZero() {
			return a.IsZero() == b.IsZero()
		}
		moved := b.Sub(a)
		return moved == 0 || moved == later
	}
	return same(first.Since, again.Since) && same(first.Until, again.Until)
}

// orAny returns the text of an end of a window.
func orAny(t time.Time) string {
	if t.IsZero() {
		return "any"
	}
	return Time{t}.String()
}

// nanosOf returns a time in nanoseconds; 0 for none.
func nanosOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// fromNanos is the reverse of nanosOf.
func fromNanos(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// timedPlace is a place as a cursor has it.
type timedPlace struct {
	At int64  `json:"at"` // Unix nanoseconds
	ID string `json:"id"`
}

// next returns the cursor after a place; empty for nil: there is no more.
func (q *pagedQuestion) next(ctx context.Context, p *place) string {
	if p == nil {
		return ""
	}
	return q.cursor(ctx, timedPlace{p.at.UnixNano(), p.id})
}

// after returns the place of a cursor; nil for an empty text.
func (q *pagedQuestion) after(ctx context.Context, text string) (*place, error) {
	if text == "" {
		return nil, nil
	}
	var p timedPlace
	if err := q.parse(ctx, text, &p); err != nil {
		return nil, err
	}
	if _, err := schema.ParseRunID(p.ID); q.list == "runs" && err != nil {
		return nil, fmt.Errorf("after: %q is no cursor of runs: its run is %q, which is no id; ask for the first page again, without a cursor",
			text, p.ID)
	}
	return &place{time.Unix(0, p.At).UTC(), p.ID}, nil
}
