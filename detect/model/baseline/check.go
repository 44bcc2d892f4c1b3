package baseline

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// ErrUnsound means that a body holds what counting cannot have made.
var ErrUnsound = errors.New("the baseline is unsound")

// most that a count may be: sums and squares of such stay finite.
const mostCount = 1e100

// Check refuses a body that would make a score of no meaning: a number that is
// not finite, a count below zero, more hits than calls, a variance below zero.
// Scores of a body that passes are numbers.
func (b *Baseline) Check() error {
	if b.Version == "" {
		return fmt.Errorf("%w: it has no version", ErrUnsound)
	}
	return sound(reflect.ValueOf(b).Elem(), "body")
}

var (
	countType   = reflect.TypeFor[Count]()
	momentsType = reflect.TypeFor[Moments]()
	reachedType = reflect.TypeFor[RunCounts]()
)

func sound(v reflect.Value, at string) error {
	switch v.Type() {
	case countType:
		if c := v.Interface().(Count); !(c.Hits >= 0 && c.Hits <= c.Calls*(1+1e-9)+1e-9 && c.Calls <= mostCount) {
			return fmt.Errorf("%w: %s: %g hits in %g calls", ErrUnsound, at, c.Hits, c.Calls)
		}
		return nil
	case momentsType:
		// N·Σx² ≥ (Σx)², but for rounding.
		if m := v.Interface().(Moments); !(m.N >= 0 && m.N <= mostCount && math.Abs(m.Sum) <= mostCount && m.Sum2 >= 0 && m.Sum2 <= mostCount && m.N*m.Sum2-m.Sum*m.Sum >= -1e-6*(1+m.Sum*m.Sum)) {
			return fmt.Errorf("%w: %s: sums %g and %g of %g", ErrUnsound, at, m.Sum, m.Sum2, m.N)
		}
		return nil
	}
	if v.Type() == reachedType {
		for n, runs := range v.Interface().(RunCounts) {
			if !(runs >= 0 && runs <= mostCount) || n >= mostReached {
				return fmt.Errorf("%w: %s: %g runs came to %d", ErrUnsound, at, runs, n)
			}
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%w: %s is %g", ErrUnsound, at, f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if err := sound(v.Field(i), at+"."+name); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := sound(it.Value(), at+"["+fmt.Sprint(it.Key().Interface())+"]"); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		if k := v.Type().Elem().Kind(); k != reflect.Float64 && k != reflect.Struct {
			return nil
		}
		for i := range v.Len() {
			if err := sound(v.Index(i), at); err != nil {
				return err
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			if v.Type().Elem().Kind() == reflect.Struct && strings.HasSuffix(at, "]") {
				return fmt.Errorf("%w: %s is null", ErrUnsound, at) // a member of a map that scoring looks into
			}
			return nil
		}
		return sound(v.Elem(), at)
	}
	return nil
}
