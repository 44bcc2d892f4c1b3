package evaluate

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"flyball/detect/model/baseline"
	"flyball/detect/score"
)

// Length is the number of calls of a run, from a data set that has only this number.
type Length struct {
	Agent, Group, Task string
	Calls              int
}

// Lengths measures how exact the tail of run lengths is: the share of runs whose tail probability is
// at most each nominal level.
type Lengths struct {
	Runs     int               `json:"runs"`
	Achieved map[string]Figure `json:"achieved"`
}

var lengthLevels = [...]float64{.01, .001, .0001}

// EvaluateLengths scores the runs of each half of the tasks by the lengths of the other half.
func EvaluateLengths(runs []Length) *Lengths {
	if len(runs) == 0 {
		return nil
	}
	taught := [2]*baseline.Baseline{baseline.New("0"), baseline.New("1")}
	half := func(task string) int {
		sum := sha256.Sum256([]byte(task))
		return int(binary.BigEndian.Uint64(sum[:]) >> 63)
	}
	for _, r := range runs {
		taught[half(r.Task)].Lengths.Add(r.Agent, r.Group, float64(r.Calls))
	}
	out := &Lengths{Runs: len(runs), Achieved: map[string]Figure{}}
	for _, level := range lengthLevels {
		n := 0
		for _, r := range runs {
			if score.LengthTail(taught[1-half(r.Task)], r.Agent, r.Group, r.Calls) <= math.Log(level) {
				n++
			}
		}
		out.Achieved[levelName(level)] = round5(float64(n) / float64(len(runs)))
	}
	return out
}
