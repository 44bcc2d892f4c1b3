package boards

import (
	"slices"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The palette of Okabe and Ito, which people with any kind of colour blindness can tell apart.
// Yellow and black are not used: one theme of Grafana's two makes each unreadable. A colour
// always stands beside its word or number.
const (
	vermilion = "#D55E00" // done and cannot be undone, tripped, held
	orange    = "#E69F00" // somebody should look
	skyBlue   = "#56B4E9" // worth a note
	green     = "#009E73" // as it should be
	blue      = "#0072B2" // refused by a gateway or by Flyball
	purple    = "#CC79A7" // failed, rate limited
	grey      = "#999999" // not known

	// The same as the ground of a cell, on which Grafana writes in black where it is light, and in white where it is dark: each has a
	// contrast of 4.5 to that text.
	vermilionGround = "#B85000"
	orangeGround    = "#F5B947"
	skyBlueGround   = "#8CCBF2"
	greenGround     = "#007F5D"
	purpleGround    = "#E3B3CF"
	greyGround      = "#BDBDBD"

	// The same as a large number: each has a contrast of 3 to a panel of the dark and of the light theme.
	orangeNumber = "#C27C00"
	greyNumber   = "#8A8A8A"
)

var palette = []string{vermilion, orange, skyBlue, green, blue, purple, grey, vermilionGround, orangeGround, skyBlueGround, greenGround,
	purpleGround, greyGround, orangeNumber, greyNumber}

// ground returns a colour as the ground of a cell.
func ground(colour string) string {
	switch colour {
	case vermilion:
		return vermilionGround
	case orange:
		return orangeGround
	case skyBlue:
		return skyBlueGround
	case green:
		return greenGround
	case purple:
		return purpleGround
	case grey:
		return greyGround
	}
	return colour
}

// numberColour returns a colour as that of a large number.
func numberColour(colour string) string {
	switch colour {
	case orange:
		return orangeNumber
	case grey:
		return greyNumber
	}
	return colour
}

// wordColours are the colours of words, the same on all dashboards.
var wordColours = map[string]string{
	"trip": vermilion, "alert": orange, "annotate": skyBlue, "none": green,
	"irreversible": vermilion, "compensable": orange, "reversible": skyBlue, "read_only": green, "unknown": grey,
	"open": vermilion, "forced_open": vermilion, "half_open": orange, "closed": green,
	"pending": orange, "granted": green, "used": green, "refused": blue, "timed_out": grey, "ended": grey,
	"agents": blue, "people": green, "others": grey,
	"ok": green, "denied": blue, "failed": purple, "client_error": purple, "server_error": purple, "tool_error": purple,
	"rate_limited": purple, "timeout": purple, "aborted": purple,
	"look": orange, "warning": orange, "error": vermilion,
}

// wordMapping returns the colours of words, and how those of two words are read, as a mapping of values in a fixed order.
func wordMapping() []dashboard.ValueMapping {
	words := make([]string, 0, len(wordColours))
	for word := range wordColours {
		words = append(words, word)
	}
	slices.Sort(words)
	options := map[string]dashboard.ValueMappingResult{}
	for i, word := range words {
		options[word] = dashboard.ValueMappingResult{Color: new(ground(wordColours[word])), Index: new(int32(i))}
		if text := strings.ReplaceAll(word, "_", " "); text != word {
			shown := options[word]
			shown.Text = &text
			options[word] = shown
		}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// step is the value from which a colour holds.
type step struct {
	from   float64
	colour string
}

// thresholds returns steps above a colour for all lower values.
func thresholds(below string, steps ...step) *dashboard.ThresholdsConfig {
	out := []dashboard.Threshold{{Color: below}}
	for _, s := range steps {
		out = append(out, dashboard.Threshold{Value: new(s.from), Color: s.colour})
	}
	return &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: out}
}

// Scores are −ln of the share of clean runs that come as far.
var scoreSteps = []step{{4.6, orange}, {6.9, vermilion}} // 1 in 100, 1 in 1,000
