package app

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"flyball/cmd/internal/config"
)

// changedKeys returns the keys whose values differ, such as "detect.mode". Keys below the second
// level are named by the section that holds them.
func changedKeys(a, b config.Config) []string {
	var out []string
	compareKeys(reflect.ValueOf(a), reflect.ValueOf(b), "", func(key string) { out = append(out, key) })
	slices.Sort(out)
	return out
}

// compareKeys calls differs for the keys of two structs of one type that have different values.
func compareKeys(a, b reflect.Value, prefix string, differs func(key string)) {
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		x, y := a.Field(i), b.Field(i)
		switch {
		case reflect.DeepEqual(x.Interface(), y.Interface()):
		case prefix == "" && x.Kind() == reflect.Struct:
			compareKeys(x, y, name+".", differs)
		default:
			differs(prefix + name)
		}
	}
}

// fileState is how the configuration file differs from the configuration that the process runs. It
// is safe for concurrent use.
type fileState struct {
	mu      sync.Mutex
	changed []string
	err     error
}

// setChanged records the keys of the file that are not in force.
func (f *fileState) setChanged(keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed, f.err = keys, nil
}

// setUnusable records why the changed file cannot be used.
func (f *fileState) setUnusable(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// state returns the keys that are not in force, and why the changed file cannot be used; empty if it
// can.
func (f *fileState) state() (changed []string, unusable string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		unusable = f.err.Error()
	}
	return f.changed, unusable
}
