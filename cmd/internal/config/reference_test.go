package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Each key of the structs has one description, and each description has a key.
func TestKeyHasNoDescription(t *testing.T) {
	var visit func(at string, typ reflect.Type)
	visit = func(at string, typ reflect.Type) {
		section, _ := sectionOf(typ)
		if section == nil {
			return
		}
		described, keys := aboutOf(section), fields(section)
		for name, f := range keys {
			a, ok := described[name]
			if !ok || a.Meaning == "" || !strings.HasSuffix(a.Meaning, ".") {
				t.Errorf("%s%s: the method about of %s describes it as %q", at, name, section, a.Meaning)
			}
			if a.Wrong != "" && a.Refused == "" {
				t.Errorf("%s%s: %q is refused, and the reference does not say which values are", at, name, a.Wrong)
			}
			visit(at+name+".", f.Type)
		}
		for name := range described {
			if _, ok := keys[name]; !ok {
				t.Errorf("%s%s is described and is no key of %s", at, name, section)
			}
		}
	}
	visit("", reflect.TypeFor[Config]())
}

func TestReferenceSaysOtherThanTheCode(t *testing.T) {
	byName := map[string]Key{}
	for _, k := range Reference() {
		if _, twice := byName[k.Key]; twice {
			t.Errorf("%s stands there twice", k.Key)
		}
		byName[k.Key] = k
		if (k.Again == AgainYes) == (k.Why != "") {
			t.Errorf("%s: read again %s, why not: %q", k.Key, k.Again, k.Why)
		}
	}
	c := Default()
	settings := map[string]reflect.Value{}
	variables("FLYBALL", reflect.ValueOf(&c).Elem(), settings)
	for _, k := range byName {
		if _, ok := settings[k.Environment]; k.Environment != "" && !ok {
			t.Errorf("%s: %s is no variable", k.Key, k.Environment)
		}
		delete(settings, k.Environment)
	}
	if len(settings) > 0 {
		t.Errorf("%d variables are in no key, such as %v", len(settings), settings)
	}
	for key, want := range map[string]string{"kafka.partitions": "8", "learn.every": "1h", "detect.armed": "[]",
		"check.grpc":     "127.0.0.1:7173",
		"disk.warn_free": "10%", "clickhouse.retention.calls": "90d", "detect.mode": "observe", "kafka.sync": "false",
		"alerts.routes[].claimed": "absent",
		"control.point":           "name of the host", "detect.false_trips_per_1000": "1", "alerts.receivers[].slack.url": `""`} {
		if got := byName[key].Default; got != want {
			t.Errorf("%s: default %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]Again{"agents[].owner": AgainYes, "alerts.routes[].hours.zone": AgainYes,
		"alerts.grouping.agents": AgainNo,
		"detect.mode":            AgainNo, "control.tls.cert": AgainFile, "control.tls": AgainNo, "control.tokens[].value_file": AgainFile,
		"tenant":           AgainNo,
		"routes[].openapi": AgainYes, "alerts.receivers[].webhook.secret_file": AgainYes} {
		if got := byName[key].Again; got != want {
			t.Errorf("%s: read again %s, want %s", key, got, want)
		}
	}
}

func TestKeyIsFoundByOneSpellingOnly(t *testing.T) {
	for _, name := range []string{"routes[].tool", "routes[3].tool", "routes.tool", " routes.tool"} {
		if found, err := Explain(name); err != nil || len(found) != 1 || found[0].Key != "routes[].tool" {
			t.Errorf("%q: %v, %v", name, found, err)
		}
	}
	if found, err := Explain("FLYBALL_KAFKA_TLS_CA"); err != nil || found[0].Key != "kafka.tls.ca" {
		t.Errorf("%v, %v", found, err)
	}
	found, err := Explain("alerts.grouping")
	if err != nil || len(found) != 5 || !found[0].Section || !slices.ContainsFunc(found,
		func(k Key) bool { return k.Key == "alerts.grouping.gates" }) {
		t.Errorf("a section: %v, %v", found, err)
	}
	for name, want := range map[string]string{"kafka.brokres": "did you mean kafka.brokers?", "": "is no key", "kafka.": "is no key"} {
		if _, err := Explain(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
