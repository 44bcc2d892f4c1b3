package baseline

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
)

// eachNumber calls do with every exported number in v and a function that sets it. For
// map entries the function changes a copy and stores it again.
func eachNumber(v reflect.Value, at string, do func(at string, set func(float64))) {
	switch v.Kind() {
	case reflect.Float64:
		was := v.Float()
		do(at, v.SetFloat)
		v.SetFloat(was)
	case reflect.Pointer:
		if !v.IsNil() {
			eachNumber(v.Elem(), at, do)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				eachNumber(v.Field(i), at+"."+f.Name, do)
			}
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			eachNumber(v.Index(i), fmt.Sprintf("%s[%d]", at, i), do)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			entry := reflect.New(v.Type().Elem()).Elem()
			entry.Set(v.MapIndex(key))
			store := func() { v.SetMapIndex(key, entry) }
			eachNumber(entry, fmt.Sprintf("%s[%v]", at, key), func(at string, set func(float64)) {
				do(at, func(x float64) { set(x); store() })
			})
			store()
		}
	}
}

// Check must check every number: one NaN makes all later scores NaN.
func TestNumberIsNotChecked(t *testing.T) {
	b := goldenBaseline("t/1", 0)
	rank := calibrate.Rank{Runs: 300, Scores: []float64{4, 3}, Above: []float64{0, 9}}
	b.ByClass = &ByClass{KnownAgent: rank, NewAgent: rank, NewPopulation: calibrate.Populations{Groups: map[string]calibrate.Rank{"g": rank}}}
	n := 0
	eachNumber(reflect.ValueOf(b), "", func(at string, set func(float64)) {
		n++
		set(math.NaN())
		if b.Check() == nil {
			t.Errorf("%s is NaN and passes", at)
		}
		set(1)
	})
	if n < 500 {
		t.Errorf("%d numbers: the test shows nothing", n)
	}
}

// A number that is not averaged would be 0 in the counts of every version and task, and
// in those of every agent whose drift is limited.
func TestNumberIsNotAveraged(t *testing.T) {
	m := &callrate.Model{}
	for _, check := range []func() error{
		func() error { return averages[Counts](mixCounts) },
		func() error { return averages[Moments](mixMoments) },
		func() error { return averages[float64](mixNumbers) },
		func() error { return averages(rateTable(m).(table[callrate.AgentRate]).mix) },
		func() error {
			return averages(func(base, all calibrate.Rank, share float64) calibrate.Rank {
				all.Scores, all.Above = []float64{4, 4}, []float64{4, 4}
				return mixRanks(base, all, share)
			})
		},
	} {
		if err := check(); err != nil {
			t.Error(err)
		}
	}
}

// averages checks that the mix of 0 and 4 with the share ¼ is 1 for every number.
func averages[T any](mix func(base, all T, share float64) T) error {
	var base, all T
	fill(reflect.ValueOf(&all))
	out := mix(base, all, .25)
	var missed error
	walk(reflect.ValueOf(&out), fmt.Sprintf("%T", out), func(at string, x float64) {
		if x != 1 {
			missed = fmt.Errorf("%s: %g, want 1", at, x)
		}
	})
	return missed
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Float64:
		v.SetFloat(4)
	case reflect.Pointer:
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	}
}

func walk(v reflect.Value, at string, do func(at string, x float64)) {
	switch v.Kind() {
	case reflect.Float64:
		do(at, v.Float())
	case reflect.Pointer:
		walk(v.Elem(), at, do)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), at+"."+v.Type().Field(i).Name, do)
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), at, do)
		}
	}
}
