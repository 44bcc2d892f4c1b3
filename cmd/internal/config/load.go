package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"flyball/schema/document"

	"github.com/goccy/go-yaml"
)

// Load reads a file over the defaults, and the environment over both. An empty
// path is flyball.yaml in the working directory, if there is one.
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

func parse(path string, text []byte, c *Config) error {
	var tree any
	if err := document.Read(text, &tree); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := refuseUnknown(path, "", tree, reflect.TypeFor[Config]()); err != nil {
		return err
	}
	if err := document.Read(text, c); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// refuseUnknown walks what was written beside the type it is for.
func refuseUnknown(file, at string, tree any, t reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer:
		return refuseUnknown(file, at, tree, t.Elem())
	case reflect.Slice:
		list, _ := tree.([]any)
		for i, v := range list {
			if err := refuseUnknown(file, fmt.Sprintf("%s[%d]", at, i), v, t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Struct:
		m, ok := tree.(map[string]any)
		if !ok {
			return nil
		}
		keys := fields(t)
		for k, v := range m {
			f, ok := keys[k]
			if !ok {
				names := make([]string, 0, len(keys))
				for n := range keys {
					names = append(names, n)
				}
				return fmt.Errorf("%s: unknown key %s%s; did you mean %s%s?", file, prefix(at), k, prefix(at), nearest(k, names))
			}
			if err := refuseUnknown(file, prefix(at)+k, v, f.Type); err != nil {
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

// nearest is the known name with the smallest edit distance.
func nearest(name string, known []string) string {
	slices.Sort(known)
	best, least := "", 1<<30
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// NotConfig are, beside FLYBALL_TEST_… and FLYBALL_ENGINE…, environment variables that start like configuration and are
// not: where tools and tests find things.
var NotConfig = []string{"FLYBALL_CACHE", "FLYBALL_REQUIRE_TIERS", "FLYBALL_TIERS_FILE", "FLYBALL_MEASURE", "FLYBALL_TOKEN"}

func fromEnvironment(c *Config, environ []string) error {
	paths := map[string]reflect.Value{}
	leaves("FLYBALL", reflect.ValueOf(c).Elem(), paths)
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "FLYBALL_") || strings.HasPrefix(name, "FLYBALL_TEST_") || strings.HasPrefix(name, "FLYBALL_ENGINE") || slices.Contains(NotConfig, name) {
			continue
		}
		v, ok := paths[name]
		if !ok {
			names := make([]string, 0, len(paths))
			for n := range paths {
				names = append(names, n)
			}
			return fmt.Errorf("environment: unknown %s; did you mean %s?", name, nearest(name, names))
		}
		if err := setText(v, value); err != nil {
			return fmt.Errorf("environment: %s=%q: %w", name, value, err)
		}
	}
	return nil
}

// leaves are the values that one variable can hold: lists of structs only come
// from the file.
func leaves(at string, v reflect.Value, into map[string]reflect.Value) {
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			leaves(at+"_"+strings.ToUpper(v.Type().Field(i).Tag.Get("yaml")), v.Field(i), into)
		}
		return
	}
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() == reflect.String {
		into[at] = v
	}
}

func setText(v reflect.Value, s string) error {
	if d, ok := v.Addr().Interface().(*Duration); ok {
		return d.UnmarshalText([]byte(s))
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

// Dump is the configuration in force, as YAML, secrets masked.
func Dump(c Config) ([]byte, error) { return yaml.Marshal(c) }
