package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// problems collects the errors of Validate. Each contains the key, the value and the rule.
type problems struct {
	errs    []error
	noPages bool // no role sends pages: what receivers hold beside their names and kinds is not looked at
}

func (p *problems) add(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// err returns the problems as one error, sorted by key, or nil if there are none.
func (p *problems) err() error {
	slices.SortFunc(p.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(p.errs...)
}

// oneOf reports a value that is not among words. An empty value is allowed.
func (p *problems) oneOf(key, value string, words ...string) {
	if value != "" {
		p.mustBeOneOf(key, value, words...)
	}
}

// mustBeOneOf reports a value that is not among words. An empty value is also an error.
func (p *problems) mustBeOneOf(key, value string, words ...string) {
	if !slices.Contains(words, value) {
		p.add("%s: %q is none of %s", key, value, strings.Join(words, ", "))
	}
}

// pattern reports a pattern that path.Match cannot read.
func (p *problems) pattern(key, value string) {
	if _, err := path.Match(value, ""); err != nil {
		p.add("%s: %q is no pattern: %w", key, value, err)
	}
}

// readable reports a file that cannot be opened. An empty name is allowed.
func (p *problems) readable(key, file string) {
	if file == "" {
		return
	}
	if err := canOpen(file); err != nil {
		p.add("%s: %w", key, err)
	}
}

func canOpen(file string) error {
	f, err := os.Open(file)
	if err == nil {
		_ = f.Close()
	}
	return err
}

// atLeast0 adds a problem if a number is negative.
func atLeast0(p *problems, key string, v int) {
	if v < 0 {
		p.add("%s: %d must be at least 0", key, v)
	}
}

// above0 reports a duration or a number that is not above 0.
func above0[T Duration | int](p *problems, key string, v T) {
	switch v := any(v).(type) {
	case Duration:
		if v <= 0 {
			p.add("%s: %s must be above 0", key, v)
		}
	case int:
		if v < 1 {
			p.add("%s: %d must be at least 1", key, v)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Problems returns the single errors of an error of Load or Validate.
func Problems(err error) []string {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			var out []string
			for _, one := range joined.Unwrap() {
				out = append(out, Problems(one)...)
			}
			return out
		}
	}
	return []string{err.Error()}
}
