package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

func TestDumpShowsEveryKeyAsItWasWritten(t *testing.T) {
	c, err := Load("testdata/every_key.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	everyFieldIsSet(t, "", reflect.ValueOf(c))
	dump, err := Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "every_key.dump.yaml", dump)
}

func TestDumpOfTheDefaultsShowsEveryDefault(t *testing.T) {
	c, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	if err == nil {
		t.Fatal("a file that is named and missing is no error")
	}
	c = Default()
	if c.Control.Point == "" {
		t.Error("an enforcement point has no name by default")
	}
	c.Control.Point = "host"
	dump, err := Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "defaults.dump.yaml", dump)
}

// everyFieldIsSet fails if a key is missing in testdata/every_key.yaml.
func everyFieldIsSet(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Space]() {
			break // written as one text
		}
		for name, f := range fields(v.Type()) {
			everyFieldIsSet(t, prefix(at)+name, v.FieldByIndex(f.Index))
		}
		return
	case reflect.Slice:
		if v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct {
			// All elements together must have every key.
			for name, f := range fields(v.Type().Elem()) {
				set := false
				for i := range v.Len() {
					set = set || !v.Index(i).FieldByIndex(f.Index).IsZero()
				}
				if !set {
					t.Errorf("%s[].%s is in no element", at, name)
				}
			}
		}
	}
	if v.IsZero() {
		t.Errorf("%s is not set", at)
	}
}
