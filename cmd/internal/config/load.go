package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"flyball/schema/document"
)

// Load applies a file to the defaults, and then the environment. An empty path means
// flyball.yaml in the working directory, if it exists. environ has the form of os.Environ.
// A relative path in the file is relative to the folder of the file; one in the environment, and
// data, to the working directory.
func Load(path string, environ []string) (Config, error) {
	c := Default()
	c.ClickHouse.Retention = Retention{Calls: unsetDays, Runs: unsetDays}
	err := readInto(&c, path, environ)
	c.ClickHouse.setDefaultRetention()
	return c, err
}

// readInto applies a file and the environment to c.
func readInto(c *Config, path string, environ []string) error {
	optional := path == ""
	if optional {
		path = "flyball.yaml"
	}
	text, err := os.ReadFile(path)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("configuration: %w", err)
	default:
		if err := parse(path, text, c); err != nil {
			return err
		}
		c.File = path
		absolute, err := filepath.Abs(path)
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		resolvePaths(reflect.ValueOf(c).Elem(), filepath.Dir(absolute))
	}
	return fromEnvironment(c, environ)
}

// Dump returns the effective configuration as YAML, with masked secrets.
func Dump(c Config) ([]byte, error) { return yaml.Marshal(c) }

// parse reads a document into c. A document without keys, and a key without a value, keep the
// defaults.
func parse(path string, text []byte, c *Config) error {
	var tree any
	if err := document.Read(text, &tree); err != nil {
		return fmt.Errorf("%s: %w%s", path, err, syntaxHint(text, err))
	}
	if n := documents(text); n > 1 {
		return fmt.Errorf("%s: holds %d documents, divided by ---; only one is read: join them", path, n)
	}
	if tree == nil {
		return nil
	}
	if _, ok := tree.(map[string]any); !ok {
		return fmt.Errorf("%s: %s stands where keys are expected, such as tenant: default", path, kindOf(tree))
	}
	var s shape
	s.compare("", tree, reflect.TypeFor[Config]())
	var errs []error
	for _, e := range s.errs {
		errs = append(errs, fmt.Errorf("%s: %w", path, e))
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	if err := document.Read(text, c); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// documents returns the number of documents in a text whose first document is valid YAML.
func documents(text []byte) (n int) {
	defer func() {
		if recover() != nil { // by the library, in a later document; see document.Read
			n++
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var tree any
		if err := d.Decode(&tree); err != nil {
			return n
		}
		if tree != nil {
			n++
		}
	}
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

// serviceLink is the form of the variables that Kubernetes sets in every container for a service whose
// name begins with flyball: FLYBALL_SERVICE_HOST, FLYBALL_CONTROL_PORT_7171_TCP_ADDR.
var serviceLink = regexp.MustCompile(`^FLYBALL_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)$`)

func isServiceLink(name string) bool { return serviceLink.MatchString(name) }

func fromEnvironment(c *Config, environ []string) error {
	settings := map[string]reflect.Value{}
	variables("FLYBALL", reflect.ValueOf(c).Elem(), settings)
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		if !isConfigVariable(name) {
			continue
		}
		v, ok := settings[name]
		if !ok && isServiceLink(name) {
			c.Ignored = append(c.Ignored, name)
			continue
		}
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
	case t.Kind() == reflect.Map: // can only be set in the file
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
		for p := range strings.SplitSeq(s, ",") {
			if p = strings.TrimSpace(p); p != "" {
				list = append(list, p)
			}
		}
		v.Set(reflect.ValueOf(list))
	}
	return nil
}
