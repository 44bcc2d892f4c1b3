package mapping

import (
	"strings"
	"testing"
)

const sound = "version: 1\nname: mine\nset:\n  start_time: at\n  status: code\n"

// A mapping that is wrong is refused whole, and the error names the key, the
// value and the rule.
func TestAWrongMappingIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown field":        {"version: 1\nname: mine\nset:\n  statsu: code\n", `set.statsu: is no field of a call; did you mean status?`},
		"unknown key":          {sound + "unrwap: [x]\n", `unknown field "unrwap"`},
		"unknown function":     {sound + "  method: {from: m, upper: true}\n", `unknown field "upper"`},
		"bad unit":             {sound + "  duration: {from: d, unit: sec}\n", `set.duration: unit: "sec" is none of s, ms, us, ns, go, pb`},
		"no unit":              {sound + "  duration: d\n", "set.duration: unit: is missing"},
		"unit of a status":     {sound + "  bytes_in: {from: d, unit: ms}\n", "only a duration has one"},
		"bad time":             {"version: 1\nname: mine\nset:\n  start_time: {from: at, time: unix}\n", `time: "unix" is none of`},
		"bad basis":            {"version: 1\nname: mine\nset:\n  start_time: {from: at, basis: middle}\n", `basis: "middle" is none of start, end, log`},
		"bad outcome":          {sound + "  outcome: {from: o, map: {x: fine}}\n", `map.x: "fine" is no outcome`},
		"two ways at once":     {sound + "  method: {from: m, value: GET}\n", "needs exactly one of from, template and value"},
		"no way at all":        {sound + "  method: {lower: true}\n", "needs exactly one of from, template and value"},
		"open brace":           {sound + "  api: {template: \"{a\"}\n", "a brace is not closed"},
		"bad regex":            {sound + "  api: {from: a, regex: \"(\"}\n", "set.api: regex: error parsing regexp"},
		"bad split":            {sound + "  api: {from: a, split: [\",\"]}\n", "split: [,]: a separator and an index"},
		"bad path":             {sound + "  api: a..b\n", `path "a..b": an empty name between dots`},
		"bad index":            {sound + "  api: a[x]\n", `[x] is no index`},
		"line half anchored":   {sound + "line: \"^a\"\n", "line: must match the whole line"},
		"logfmt without line":  {sound + "logfmt: x\n", "logfmt"},
		"recognise everything": {sound + "recognise: [[]]\n", "recognise[0]: an empty set"},
		"condition of nothing": {sound + "when: [{field: a}]\n", "when[0]: needs field, and in, not_in or prefix"},
		"a version to come":    {strings.Replace(sound, "1", "2", 1), "version: 2 is not 1"},
		"a name with spaces":   {strings.Replace(sound, "mine", "my gateway", 1), `name: "my gateway"`},
		"a preset's name":      {strings.Replace(sound, "mine", "caddy", 1), `name: "caddy" is a preset's`},
		"like nothing":         {sound + "like: nothing\n", `like: "nothing" is no preset`},
		"a secret elsewhere":   {sound + "  api: {from: a, hmac: true}\n", "hmac: of credential_id only"},
		"nothing set":          {"version: 1\nname: mine\n", "set: says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile("mine.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mine.yaml") {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	if _, err := Compile("mine.yaml", []byte(sound)); err != nil {
		t.Error(err)
	}
}
