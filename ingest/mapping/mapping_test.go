package mapping

import (
	"strings"
	"testing"
)

const sound = "version: 1\nname: mine\nset:\n  start_time: at\n  status: code\n"

// An invalid mapping is rejected completely, and the error names the key, the value and the rule.
func TestAWrongMappingIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown field":    {"version: 1\nname: mine\nset:\n  statsu: code\n", `set.statsu: is no field of a call; did you mean status?`},
		"unknown key":      {sound + "unrwap: [x]\n", `unknown field "unrwap"`},
		"unknown function": {sound + "  method: {from: m, upper: true}\n", `unknown field "upper"`},
		"bad unit":         {sound + "  duration: {from: d, unit: sec}\n", `set.duration: unit: "sec" is none of s, ms, us, ns, go, pb`},
		"no unit":          {sound + "  duration: d\n", "set.duration: unit: is missing"},
		"unit of a status": {sound + "  bytes_in: {from: d, unit: ms}\n", "only a duration has one"},
		"bad time":         {"version: 1\nname: mine\nset:\n  start_time: {from: at, time: unix}\n", `time: "unix" is none of`},
		"bad basis": {"version: 1\nname: mine\nset:\n  start_time: {from: at, basis: middle}\n",
			`basis: "middle" is none of start, end, log`},
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
		"bad list":             {sound + "  api: {from: a, list: all}\n", `set.api: list: "all" is none of first, last, sum, count`},
		"a sum of texts":       {sound + "  api: {from: a, list: sum}\n", "set.api: list: only durations can be summed"},
		"half a replacement":   {sound + "  api: {from: a, replace: [x]}\n", "set.api: replace: [x]: a pattern and a text"},
		"bad replacement":      {sound + "  api: {from: a, replace: [\"(\", x]}\n", "set.api: replace: error parsing regexp"},
		"bad named function":   {sound + "  api: {from: a, fn: upper}\n", `set.api: fn: "upper" is none of xray`},
		"baggage of nothing":   {sound + "  api: {from: a, fn: \"baggage:\"}\n", `set.api: fn: "baggage:" is none of xray`},
		"claim elsewhere":      {sound + "  api: {from: a, jwt: sub}\n", "set.api: jwt: set the field token"},
		"bad op_kind":          {sound + "  op_kind: {from: o, map: {x: rpc}}\n", `set.op_kind: map.x: "rpc" is no op_kind: http, grpc`},
		"time of a status":     {sound + "  api: {from: a, time: rfc3339}\n", "set.api: time: only start_time and end_time"},
		"kind of an agent":     {sound + "  agent_id: {from: a, kind: api_key}\n", `set.agent_id: kind: "api_key": of credential_id only`},
		"bad kind":             {sound + "  credential_id: {from: a, kind: card}\n", `set.credential_id: kind: "card": of credential_id only`},
		"bad observer":         {sound + "observer: proxy\n", `observer: "proxy" is none of gateway, sidecar`},
		"bad members":          {sound + "members: all\n", `members: "all" is not known`},
		"a path too deep":      {sound + "  api: a.b.c.d.e.f.g\n", `path "a.b.c.d.e.f.g": more than 6 names`},
		"bad path in drop":     {sound + "drop: [a..b]\n", `drop[0]: path "a..b"`},
		"bad path in attrs":    {sound + "attrs: [a, b..c]\n", `attrs[1]: path "b..c"`},
		"bad path in headers":  {sound + "headers: [a..b]\n", `headers: path "a..b"`},
		"bad path in unwrap":   {sound + "unwrap: [a..b]\n", `unwrap[0]: path "a..b"`},
		"bad path in when":     {sound + "when: [{field: a..b, in: [x]}]\n", `when[0]: path "a..b"`},
		"bad path in ignore":   {sound + "ignore: [{field: \"a[64]\", in: [x]}]\n", `ignore[0]: path "a[64]": [64] is no index from 0 to 63`},
		"bad path in template": {sound + "  api: {template: \"{a..b}\"}\n", `set.api: path "a..b"`},
		"bad line":             {sound + "line: \"(\"\n", "line: error parsing regexp"},
		"logfmt of no group":   {sound + "line: \"^(?P<a>.*)$\"\nlogfmt: b\n", `logfmt: line has no group "b"`},
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
