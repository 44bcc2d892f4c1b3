package config

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"flyball/schema/document"
)

// Load applies a file to the defaults, and then the environment. An empty path means
// flyball.yaml in the working directory, if it exists. environ has the form of os.Environ.
func Load(path string, environ []string) (Config, error) {
	c := Default()
	optional := path == ""
	if optional {
		path = "flyball.yaml"
	}
	text, err := os.ReadFile(path)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return c, fmt.Errorf("configuration: %w", err)
	default:
		if err := parse(path, text, &c); err != nil {
			return c, err
		}
		c.File = path
	}
	if err := fromEnvironment(&c, environ); err != nil {
		return c, err
	}
	return c, nil
}

// Dump returns the effective configuration as YAML, with masked secrets.
func Dump(c Config) ([]byte, error) { return yaml.Marshal(c) }

// parse reads a document into c. If this fails, it looks for an unknown key to make a better
// error.
func parse(path string, text []byte, c *Config) error {
	err := document.Read(text, c)
	if err == nil {
		return nil
	}
	var tree any
	if document.Read(text, &tree) == nil {
		if unknown := findUnknownKey(path, "", tree, reflect.TypeFor[Config]()); unknown != nil {
			return unknown
		}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// findUnknownKey compares a document with its type. It returns an error with the first key
// that the type does not have, and the nearest key that it has; nil if all keys are known.
func findUnknownKey(file, at string, tree any, t reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer:
		return findUnknownKey(file, at, tree, t.Elem())
	case reflect.Slice:
		list, _ := tree.([]any)
		for i, v := range list {
			if err := findUnknownKey(file, fmt.Sprintf("%s[%d]", at, i), v, t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Struct:
		values, ok := tree.(map[string]any)
		if !ok || isText(t) {
			return nil
		}
		keys := fields(t)
		for _, k := range sortedKeys(values) {
			f, ok := keys[k]
			if !ok {
				return fmt.Errorf("%s: unknown key %s%s; did you mean %s%s?",
					file, prefix(at), k, prefix(at), document.Nearest(k, sortedKeys(keys)))
			}
			if err := findUnknownKey(file, prefix(at)+k, values[k], f.Type); err != nil {
				return err
			}
		}
	}
	return nil
}

func prefix(at string) string {
	if at == "" {
		return ""
	}
	return at + "."
}

// fields returns the fields of a struct by their keys in the file.
func fields(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "-" {
			out[name] = t.Field(i)
		}
	}
	return out
}

// isText reports whether values of a type are read from text.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// notConfig are environment variables with the prefix of the configuration that are not part
// of it: they are for tools and tests. The same applies to FLYBALL_TEST_… and FLYBALL_ENGINE….
var notConfig = []string{"FLYBALL_CACHE", "FLYBALL_REQUIRE_TIERS", "FLYBALL_TIERS_FILE", "FLYBALL_MEASURE", "FLYBALL_TOKEN",
	"FLYBALL_PROFILE"}

func isConfigVariable(name string) bool {
	return strings.HasPrefix(name, "FLYBALL_") && !slices.Contains(notConfig, name) &&
		!strings.HasPrefix(name, "FLYBALL_TEST_") && !strings.HasPrefix(name, "FLYBALL_ENGINE")
}

func fromEnvironment(c *Config, environ []string) error {
	settings := map[string]reflect.Value{}
	variables("FLYBALL", reflect.ValueOf(c).Elem(), settings)
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		if !isConfigVariable(name) {
			continue
		}
		v, ok := settings[name]
		if !ok {
			return fmt.Errorf("environment: unknown %s; did you mean %s?", name, document.Nearest(name, slices.Collect(maps.Keys(settings))))
		}
		if err := setText(v, text); err != nil {
			return fmt.Errorf("environment: %s=%q: %w", name, text, err)
		}
	}
	return nil
}

// variables collects the settings that can be set by an environment variable, by its name.
// Lists of sections can only be set in the file.
func variables(name string, v reflect.Value, into map[string]reflect.Value) {
	t := v.Type()
	switch {
	case isText(t):
		into[name] = v
	case t.Kind() == reflect.Struct:
		for i := range v.NumField() {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if key != "-" {
				variables(name+"_"+strings.ToUpper(key), v.Field(i), into)
			}
		}
	case t.Kind() != reflect.Slice || t.Elem().Kind() == reflect.String:
		into[name] = v
	}
}

func setText(v reflect.Value, s string) error {
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(s))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		v.SetBool(b)
		return err
	case reflect.Int:
		n, err := strconv.Atoi(s)
		v.SetInt(int64(n))
		return err
	case reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		v.SetFloat(f)
		return err
	case reflect.Slice:
		var list []string
		for _, p := range strings.Split(s, ",") {
			if p = strings.TrimSpace(p); p != "" {
				list = append(list, p)
			}
		}
		v.Set(reflect.ValueOf(list))
	}
	return nil
}
