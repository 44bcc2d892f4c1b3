package score

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
	"flyball/schema/wire"
)

// callsOf decodes calls of fifteen bytes each: few routes, arguments and resources, so that
// calls are often equal, and any size, time and amount.
func callsOf(data []byte) (calls []feature.Input, at []int64) {
	for ; len(data) >= 15 && len(calls) < 400; data = data[15:] {
		flags := data[0]
		c := feature.Input{
			Route:        feature.RouteHash(routeName(uint64(data[1] % 12))),
			Args:         uint64(data[2] % 16),
			Result:       uint64(data[3] % 4),
			Write:        flags&1 > 0,
			Failed:       flags&2 > 0,
			Delete:       flags&4 > 0,
			Irreversible: flags&8 > 0,
		}
		for n := range data[4] % 4 {
			c.Resources = append(c.Resources, uint64(data[5]%32)+uint64(n))
		}
		wild := binary.LittleEndian.Uint64(data[6:])
		c.Bytes = wild >> (data[14] % 64)
		if c.API = 1 + uint64(data[1]%12); flags&128 > 0 {
			c.API = apiOf("GET /nobody/knows")
		}
		if flags&16 > 0 {
			c.Bytes, c.Tokens = math.MaxUint64, wild
		}
		if flags&32 > 0 {
			c.Money, c.Currency = feature.ParseAmount("1e300"), "EUR"
		}
		c.Start = int64(wild) // any time: out of order, 1970, 2262, before the epoch
		if c.End = c.Start + int64(data[14])*1e9; flags&64 > 0 {
			c.End = math.MaxInt64
		}
		calls, at = append(calls, c), append(at, c.Start)
	}
	return calls, at
}

// finite reports whether all numbers of a state are finite.
func finite(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Float64:
		return !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "model" && f.Name != "agent" && !finite(v.Field(i)) {
				return false
			}
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			if !finite(v.Index(i)) {
				return false
			}
		}
	}
	return true
}

func coded(t *testing.T, run *RunScore, actor *ActorScore) (*RunScore, *ActorScore) {
	t.Helper()
	w := wire.NewWriter(nil, 'x', 5)
	run.Code(w)
	actor.Code(w)
	r, err := wire.NewReader(w.Bytes(), 'x', 5)
	if err != nil {
		t.Fatal(err)
	}
	run, actor = new(RunScore), new(ActorScore)
	run.Code(r)
	actor.Code(r)
	if r.Err != nil || r.Rest() != 0 {
		t.Fatalf("a state that cannot be read again: %v, %d bytes are left", r.Err, r.Rest())
	}
	return run, actor
}

// For any calls, scores are finite and never fall, and encoding and decoding
// a run after any call does not change its further scores.
func FuzzScore(f *testing.F) {
	ref := load(f)
	body, classes := ref.body(), ref.byClass()
	spender := frugal(true)
	f.Add([]byte(strings.Repeat("\x00\x01\x02\x03\x01\x05abcdefgh\x09", 30)), uint8(3), uint8(0))
	f.Add([]byte(strings.Repeat("\x7f\x08\x01\x00\x03\x07\xff\xff\xff\xff\xff\xff\xff\xff\x00", 40)), uint8(1), uint8(1))
	f.Add([]byte(strings.Repeat("\x02\x01\x01\x00\x01\x07\x00\x00\x00\x00\x00\x00\x00\x80\x00\x05\x09\x02\x01\x02\x03\x04\x05\x06\x07\x08\x09"+
		"\x0a\x0b\x00",
		20)), uint8(5), uint8(2))
	f.Add([]byte(strings.Repeat("\x80\x01\x02\x03\x01\x05abcdefgh\x09\x04\x01\x02\x03\x01\x06abcdefgh\x09", 20)), uint8(4), uint8(16))
	f.Add([]byte(strings.Repeat("\xa2\x01\x02\x03\x01\x05abcdefgh\x09\x02\x08\x02\x03\x01\x06abcdefgh\x09", 20)), uint8(2), uint8(17))
	f.Add([]byte(strings.Repeat("\x7c\x02\x02\x03\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\x00", 20)), uint8(2), uint8(18))
	f.Fuzz(func(t *testing.T, data []byte, every, who uint8) {
		m := NewModel(body)
		if who&16 > 0 {
			m = NewModel(classes)
		}
		if who&8 > 0 {
			m = NewModel(spender)
		}
		as := []Reference{{Agent: "billing/a0", Group: "billing"}, {Agent: "support/a1", Group: "support", Version: "2"}, {Agent: "billing/new",
			Group: "billing"}, {}}[who%4]
		calls, at := callsOf(data)
		run, actor, straight, beside := new(RunScore), new(ActorScore), new(RunScore), new(ActorScore)
		last := 0.0
		for i := range calls {
			s := straight.Add(m, as, &calls[i], at[i], schema.Irreversible)
			beside.Add(straight, &s)
			s = run.Add(m, as, &calls[i], at[i], schema.Irreversible)
			actor.Add(run, &s)
			run.NoteEvidence(schema.CallRef{Offset: int64(i)})
			straight.NoteEvidence(schema.CallRef{Offset: int64(i)})
			if run.Score < last || !finite(reflect.ValueOf(*run)) || !finite(reflect.ValueOf(*actor)) {
				t.Fatalf("call %d: score %v after %v: %+v", i+1, run.Score, last, run)
			}
			last = run.Score
			levels := run.Levels(.001)
			for _, l := range levels {
				if !(l >= 0 && l <= math.MaxFloat64) {
					t.Fatalf("call %d: levels %v", i+1, levels)
				}
			}
			if run.Stranger() && (m.Baseline.ByClass == nil || run.Acquaintance() > schema.NewPopulation) || levels != straight.Levels(.001) {
				t.Fatalf("call %d: a stranger is a %v", i+1, run.Acquaintance())
			}
			if run.Score != straight.Score || run.Families != straight.Families || actor.Score != beside.Score {
				t.Fatalf("call %d: score %v, of the actor %v; without checkpoints %v and %v", i+1, run.Score, actor.Score, straight.Score, beside.Score)
			}
			for fam := range Family(NumFamilies) {
				if text, err := json.Marshal(run.Explain(fam, calls[i].Route)); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				run.Onset(fam)
			}
			if i%(int(every)+1) == 0 {
				run, actor = coded(t, run, actor)
			}
		}
	})
}

// damaged changes a few numbers, lists or members of a baseline to values that counting cannot produce.
func damaged(t *testing.T, b *baseline.Baseline, seed uint64) []byte {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	bad := []float64{-1, 0, 1e308, -1e308, 5e-324, 1e-300, 1e15, .5, -.5, 1e100, 1e16}
	odds := []float64{.001, .01, .2, 1}[seed%4]
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case float64:
			if r.Float64() < odds {
				return bad[r.IntN(len(bad))]
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
			if len(v) > 0 && len(v) != int(2*feature.NumCells) && r.Float64() < odds {
				return v[:r.IntN(len(v))]
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				switch v[k] = walk(v[k]); v[k].(type) {
				case map[string]any, []any:
					if r.Float64() < odds/8 {
						v[k] = nil
					}
				}
			}
		}
		return v
	}
	if text, err = json.Marshal(walk(whole)); err != nil {
		t.Fatal(err)
	}
	return text
}

// Any baseline is rejected or used for scores without a panic, and scores are finite. With a baseline that passes
// Check, the whole state of a run is finite.
func FuzzBody(f *testing.F) {
	ref := load(f)
	small := baseline.New("t")
	for i := range 3 {
		small.Learn(ref.Train[i].learned())
	}
	small.Finish()
	scores, weights := make([]float64, 400), make([]float64, 400)
	for i := range scores {
		scores[i], weights[i] = float64(i%80)/10, 1
	}
	rank := calibrate.NewRank(scores, weights)
	small.Calibration = calibrate.FitScores(scores, weights)
	small.ByClass = &baseline.ByClass{KnownAgent: rank, NewAgent: rank, NewPopulation: calibrate.Populations{Groups: map[string]calibrate.Rank{
		"a": rank, "b": rank, "c": rank, "billing": rank}}}
	small.KnownResources.Groups = nil // 8 KiB of zeroes do not help the fuzzer
	text, err := json.Marshal(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, uint64(0))
	for _, change := range [][2]string{{`"n":`, `"n":-`}, {`"sum":`, `"sum":-1e308,"x":`}, {`"sum2":`, `"sum2":1e308,"x":`}, {`"calls":`,
		`"calls":-1e300,"x":`},
		{`:[`, `:[-1,1e308,`}, {`:{"calls"`, `:null,"y":{"calls"`}, {`"runs":`, `"runs":0,"x":`}} {
		f.Add([]byte(strings.ReplaceAll(string(text), change[0], change[1])), uint64(0))
	}
	f.Add([]byte(`{"known":{"groups":{"billing":{"m":0,"k":4,"b":""}}}}`), uint64(0))
	f.Add([]byte(`{"known":{"groups":{"billing":{"m":65536,"k":4,"b":"__________8="}}}}`), uint64(0))
	f.Add([]byte(`{"sequence":{"groups":{"billing":null}},"calibration":{"runs":5,"scores":[1,2],"u":9}}`), uint64(0))
	f.Add(
		[]byte(`{"repeated":{"all":[1e308,1e308,-1e308]},"across":{"fresh":{"all":[-1]}},"calibration":{"runs":-3,"beta":-1,"pu":9}}`),
		uint64(0),
	)
	for _, classes := range []string{`null`, `{}`, `{"new_population":null}`, `{"new_population":{"groups":{"a":{},"b":{},"c":{},"d":{}}}}`,
		`{"known_agent":{"runs":1e308,"scores":[9,1e308,-1e308],"above":[1e308,0]},"new_agent":{"runs":-5,"scores":[1],"above":[]}}`,
		`{"new_population":{"groups":{"a":{"runs":60,"scores":[1e308],"above":[60]},"b":{"runs":60,"scores":[9,8,10],"above":[-1,1e308]}}}}`} {
		f.Add([]byte(strings.Replace(string(text), `"by_class":`, `"by_class":`+classes+`,"x":`, 1)), uint64(0))
	}
	var calls []feature.Input
	for i := range ref.Test {
		for n := range ref.Test[i].Calls {
			if n%7 == i%7 || i > 2 && n > 10 && n < 18 {
				calls = append(calls, ref.Test[i].Calls[n].feature())
				if n%5 == 0 {
					calls[len(calls)-1].API = apiOf("GET /nobody/knows")
				}
			}
		}
	}
	for seed := range uint64(300) {
		f.Add([]byte(nil), seed)
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) == 0 {
			text = damaged(t, small, seed)
		}
		var body baseline.Baseline
		if json.Unmarshal(text, &body) != nil {
			return
		}
		body.Version = "t/1"
		sound := body.Check() == nil
		m := NewModel(&body)
		for _, who := range []Reference{{Agent: "billing/a0", Group: "billing"}, {Agent: "new", Group: "new"}} {
			var run RunScore
			var actor ActorScore
			last := 0.0
			for i := range calls {
				s := run.Add(m, who, &calls[i], int64(i), schema.Irreversible)
				actor.Add(&run, &s)
				if !(run.Score >= last && run.Score <= maxScore) || !(actor.Score >= 0 && actor.Score <= maxScore) {
					t.Fatalf("call %d: score %v after %v, of the actor %v", i+1, run.Score, last, actor.Score)
				}
				last = run.Score
				levels := run.Levels(.001)
				for _, l := range levels {
					if !(l >= 0 && l <= math.MaxFloat64) {
						t.Fatalf("call %d of a %v: levels %v", i+1, run.Acquaintance(), levels)
					}
				}
				if sound && (!finite(reflect.ValueOf(run)) || !finite(reflect.ValueOf(actor))) {
					t.Fatalf("call %d: %+v", i+1, run)
				}
			}
			for fam := range Family(NumFamilies) {
				if text, err := json.Marshal(run.Explain(fam, calls[0].Route)); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			if p, _ := body.Calibration.P(run.Score); !(p >= 0 && p <= 1) {
				t.Fatalf("P(S ≥ %v) is %v", run.Score, p)
			}
		}
		_ = body.KnownResources.Saturated("billing")
	})
}

// Any input as a run's state is rejected, or the run continues from it with
// finite scores.
func FuzzRunState(f *testing.F) {
	ref := load(f)
	body := ref.byClass()
	m := NewModel(body)
	var run RunScore
	var actor ActorScore
	var calls []feature.Input
	for n := range ref.Test[3].Calls {
		c := ref.Test[3].Calls[n].feature()
		if n%3 == 0 {
			c.API = apiOf("GET /nobody/knows")
		}
		calls = append(calls, c)
		s := run.Add(m, Reference{Agent: "billing/a0", Group: "billing"}, &c, int64(n), schema.Irreversible)
		actor.Add(&run, &s)
		run.NoteEvidence(schema.CallRef{Offset: int64(n)})
		if n%5 == 0 {
			w := wire.NewWriter(nil, 'x', 5)
			run.Code(w)
			actor.Code(w)
			f.Add(w.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		r, err := wire.NewReader(state, 'x', 7)
		if err != nil {
			return
		}
		var run RunScore
		var actor ActorScore
		run.Code(r)
		actor.Code(r)
		if r.Err != nil {
			return
		}
		m := NewModel(body)
		for i := range calls {
			s := run.Add(m, Reference{Agent: "billing/a0", Group: "billing"}, &calls[i], int64(i), schema.Irreversible)
			actor.Add(&run, &s)
			run.NoteEvidence(schema.CallRef{Offset: int64(i)})
		}
		if !finite(reflect.ValueOf(run)) || !finite(reflect.ValueOf(actor)) {
			t.Fatalf("%+v", run)
		}
		for fam := range Family(NumFamilies) {
			if text, err := json.Marshal(run.Explain(fam, calls[0].Route)); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			run.Onset(fam)
		}
	})
}
