package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/document"
	"flyball/schema/schedule"
)

// About describes a key. Each section describes its keys by its method about.
type About struct {
	Meaning string
	Form    string // how the value is written, with its unit; empty: what the type of the key says
	Default string // empty: the value in Default
	Refused string // which values are refused; empty: those that are not of the form
	Wrong   string // in YAML: a value of the form that is refused; empty: there is none that is always refused
}

// abouts are descriptions by the last part of the key.
type abouts map[string]About

// describer is a section of the configuration.
type describer interface{ about() abouts }

// Again says whether a running process reads the value of a key again.
type Again string

// Values of Again.
const (
	AgainYes  Again = "yes"     // the file is read again when it changes
	AgainFile Again = "file"    // the file that the key names is read again; another name needs a restart
	AgainNo   Again = "restart" // a change needs a restart
)

// Key is a key of the configuration with all that the reference says about it.
type Key struct {
	Key         string `json:"key"` // kafka.inputs[].topic
	Meaning     string `json:"meaning"`
	Form        string `json:"form"`
	Default     string `json:"default"`
	Refused     string `json:"refused,omitempty"`
	Environment string `json:"environment,omitempty"` // absent: only in the file
	Again       Again  `json:"read_again"`
	Why         string `json:"why,omitempty"` // why a change needs a restart, and what to do instead
	Section     bool   `json:"section,omitempty"`

	Wrong string       `json:"-"` // a value that is refused; empty: there is none that is always refused
	Type  reflect.Type `json:"-"`
}

// readAgain says whether keys are read again, and why not.
type readAgain struct {
	again Again
	why   string
}

// Reasons for a restart.
const (
	whyStart  = "it is used when parts are started"
	whyReplay = "the same calls must give the same decisions when they are read again after a failure, so the rules do not change " +
		"between two"
	whyLog      = "what points enforce is decided by the log"
	whyGrouping = "each receiver and the control API must group incidents by the same bounds from the same record of the log on"
)

// again are readAgain by the beginning of the key. The longest applies.
var again = map[string]readAgain{
	"":                    {AgainNo, whyStart},
	"agents":              {AgainYes, ""},
	"routes":              {AgainYes, ""},
	"mappings":            {AgainYes, ""},
	"alerts.receivers":    {AgainYes, ""},
	"alerts.routes":       {AgainYes, ""},
	"alerts.remind_after": {AgainYes, ""},
	"alerts.grouping":     {AgainNo, whyGrouping},
	"detect":              {AgainNo, whyReplay},
	"detect.mode":         {AgainNo, whyLog + "; flyball arm and flyball disarm are in force at once"},
	"detect.armed":        {AgainNo, whyLog + "; flyball arm and flyball disarm are in force at once"},
	"detect.exceptions":   {AgainNo, whyReplay + "; flyball exceptions add and remove are in force at once"},
	"control.trip_budget": {AgainNo, whyLog + "; flyball settings set is in force at once"},
	"kafka.partitions":    {AgainNo, "the number is fixed when the topics are made; deploy/README.md has the procedure"},
	"secret_key_file":     {AgainNo, "ids, receipts and links are made with this key; flyball key rotate, then restart"},
}

// rereadFiles are the beginnings of keys whose files are read again, although a change of the key needs a restart.
var rereadFiles = []string{"kafka.tls.", "kafka.sasl.password_file", "kafka.schema_registry.password_file", "kafka.schema_registry.tls.",
	"clickhouse.tls.", "clickhouse.password_file", "control.tls.", "control.oidc.client_secret_file", "control.tokens[].value_file",
	"check.tls.", "check.token_file",
	"siem.tls."}

// IsReread reports whether a running process uses another value of a key of the file without a restart.
func IsReread(key string) bool {
	a, _ := againOf(key)
	return a == AgainYes
}

func againOf(key string) (Again, string) {
	for _, file := range rereadFiles {
		if strings.HasPrefix(key, file) {
			return AgainFile, "the file is read again when it changes; another name is used when parts are started"
		}
	}
	for at := key; ; {
		if a, ok := again[at]; ok {
			return a.again, a.why
		}
		at = strings.TrimSuffix(at, "[]")
		if a, ok := again[at]; ok {
			return a.again, a.why
		}
		at = at[:max(strings.LastIndexByte(at, '.'), 0)]
	}
}

// others describe sections that are types of other packages.
var others = map[reflect.Type]abouts{reflect.TypeFor[schedule.Hours](): {
	"days": {Meaning: "Days of the week. Empty: every day.", Form: "list of mon … sun", Wrong: "[someday]", Refused: "other words"},
	"from": {Meaning: "Beginning of the hours.", Form: "time of the day such as 07:00", Wrong: "'25:00'",
		Refused: "empty; no time of a day"},
	"to": {Meaning: "End of the hours. Before from: on the next day.", Form: "time of the day such as 19:00", Wrong: "'7'",
		Refused: "empty; no time of a day"},
	"timezone": {Meaning: "Time zone of from and to.", Form: "name such as UTC or Europe/Berlin", Wrong: "Mars/Base",
		Refused: "empty; unknown names"},
}}

// Reference returns all keys in the order in which dump-config prints them. A section stands before its keys.
func Reference() []Key {
	var out []Key
	collectKeys(&out, "", reflect.TypeFor[Config](), reflect.ValueOf(Default()), true)
	return out
}

// collectKeys adds the keys of a section. value is that in Default, not valid in lists; single is false in lists.
func collectKeys(out *[]Key, at string, t reflect.Type, value reflect.Value, single bool) {
	described := aboutOf(t)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "-" {
			continue
		}
		f := t.Field(i)
		a := described[name]
		k := Key{Key: prefix(at) + name, Meaning: a.Meaning, Form: a.Form, Default: a.Default, Refused: a.Refused, Wrong: a.Wrong, Type: f.Type}
		k.Again, k.Why = againOf(k.Key)
		var now reflect.Value
		if value.IsValid() && f.Type.Kind() != reflect.Pointer {
			now = value.Field(i)
		}
		section, list := sectionOf(f.Type)
		k.Section = section != nil
		if k.Form == "" {
			k.Form = formOf(f.Type, f.Tag.Get("path") != "")
		}
		if k.Default == "" && !k.Section {
			k.Default = defaultText(now, f.Type)
		}
		if single && !k.Section && f.Type.Kind() != reflect.Map { // maps and lists of sections stand in the file
			k.Environment = "FLYBALL_" + strings.ToUpper(strings.ReplaceAll(k.Key, ".", "_"))
		}
		*out = append(*out, k)
		switch {
		case section != nil && list:
			collectKeys(out, k.Key+"[]", section, reflect.Value{}, false)
		case section != nil:
			collectKeys(out, k.Key, section, now, single && f.Type.Kind() != reflect.Pointer)
		}
	}
}

func aboutOf(t reflect.Type) abouts {
	if d, ok := reflect.Zero(t).Interface().(describer); ok {
		return d.about()
	}
	return others[t]
}

// sectionOf returns the struct that holds the keys below a key, and whether the key is a list of them; nil: the key has a value.
func sectionOf(t reflect.Type) (section reflect.Type, list bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		t, list = t.Elem(), true
	}
	if t.Kind() != reflect.Struct || isText(t) {
		return nil, list
	}
	return t, list
}

// formOf says how values of a type are written.
func formOf(t reflect.Type, path bool) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		if section, _ := sectionOf(t); section != nil {
			return "list of sections"
		}
		return "list of " + map[bool]string{true: "files", false: "texts"}[path]
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration such as 90s, 15m or 24h"
	case reflect.TypeFor[Days]():
		return "days such as 90d"
	case reflect.TypeFor[Space]():
		return "amount of a disk such as 10%, 500MiB or 20GiB"
	case reflect.TypeFor[Time]():
		return "time such as 2027-01-31T00:00:00Z"
	}
	switch {
	case path:
		return "file"
	case isText(t):
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Struct:
		return "section"
	}
	return "text"
}

// defaultText returns a default as it is written in YAML. Without a value it is that of a key that is absent.
func defaultText(v reflect.Value, t reflect.Type) string {
	if !v.IsValid() {
		v = reflect.Zero(t)
	}
	if v.Kind() == reflect.Pointer {
		return "absent"
	}
	switch x := v.Interface().(type) {
	case Duration:
		return shortDuration(x)
	case schema.Secret:
		return `""`
	case fmt.Stringer:
		if x.String() == "" {
			return `""`
		}
		return x.String()
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	}
	switch {
	case v.Kind() == reflect.Slice:
		return "[]"
	case v.Kind() == reflect.Map:
		return "{}"
	case v.Kind() == reflect.String && v.String() == "":
		return `""`
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration writes a duration without the units that are 0: 1h, not 1h0m0s.
func shortDuration(d Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if n := time.Duration(d); n > 24*time.Hour && n%(24*time.Hour) == 0 {
		return fmt.Sprintf("%s (%d days)", s, n/(24*time.Hour))
	}
	return s
}

// place is the place of an item in a list.
var place = regexp.MustCompile(`\[\d*\]`)

// Explain returns a key with the keys below it, if it is a section. The key can have places in lists (routes[0].tool), no brackets
// (routes.tool), or be the name of its environment variable. The error names the nearest key.
func Explain(name string) ([]Key, error) {
	all := Reference()
	plain := func(k string) string { return strings.ReplaceAll(k, "[]", "") }
	asked := plain(place.ReplaceAllString(strings.TrimSpace(name), ""))
	i := slices.IndexFunc(all, func(k Key) bool { return plain(k.Key) == asked || name != "" && k.Environment == name })
	if i < 0 {
		var names []string
		for _, k := range all {
			names = append(names, k.Key)
		}
		return nil, fmt.Errorf("KEY: %q is no key of the configuration; did you mean %s? flyball config reference lists all", name,
			document.Nearest(asked, names))
	}
	out := all[i : i+1 : i+1]
	for _, k := range all[i+1:] {
		if strings.HasPrefix(k.Key, all[i].Key+".") || strings.HasPrefix(k.Key, all[i].Key+"[].") {
			out = append(out, k)
		}
	}
	return out, nil
}
