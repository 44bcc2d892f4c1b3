package query

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// Page is a part of a long answer.
type Page[T any] struct {
	Rows []T `json:"rows"`
	// Next is the cursor of the page after this one; empty: this is the last page.
	Next string `json:"next,omitempty"`
}

// cursorVersion is the first word of a cursor. A cursor of another version is refused.
const cursorVersion = "1"

// cursor returns the text of a place in a list of some kind, for the caller to hand back; empty for nil.
func (p *place) cursor(list string) string {
	if p == nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + " " + list + " " + strconv.FormatInt(p.at.UnixNano(), 10) + " " + p.id))
}

// parseCursor returns the place of a cursor of a list; nil for an empty text.
func parseCursor(list, text string) (*place, error) {
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	parts := strings.SplitN(string(raw), " ", 4)
	if err != nil || len(parts) != 4 || parts[0] != cursorVersion || parts[1] != list {
		return nil, fmt.Errorf("%q is no cursor of %s: use the one that the page before ended with", text, list)
	}
	ns, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no cursor of %s: its time is %q", text, list, parts[2])
	}
	if _, err := schema.ParseRunID(parts[3]); list == "runs" && err != nil {
		return nil, fmt.Errorf("%q is no cursor of %s: its run is %q", text, list, parts[3])
	}
	return &place{time.Unix(0, ns).UTC(), parts[3]}, nil
}

// cursorOf returns the cursor of a list whose places are not times: v is the place, and what else the next page needs.
func cursorOf(list string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of texts and numbers
	}
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + " " + list + " " + string(text)))
}

// parseCursorOf reads a cursor that cursorOf has made into v.
func parseCursorOf(list, text string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	rest, ours := bytes.CutPrefix(raw, []byte(cursorVersion+" "+list+" "))
	if err != nil || !ours || json.Unmarshal(rest, v) != nil {
		return fmt.Errorf("%q is no cursor of %s: use the one that the page before ended with", text, list)
	}
	return nil
}
