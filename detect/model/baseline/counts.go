package baseline

import (
	"encoding/json"
	"fmt"

	"flyball/detect/feature"
)

// Count holds the number of eligible calls, and the number of those in which the event happened (Hits).
type Count struct{ Hits, Calls float64 }

// Counts holds the count of every cell. In JSON it is one flat list: hits and calls of each
// cell in the order of feature.Cell.
type Counts [feature.NumCells]Count

// add counts a call in the cells for which it is eligible.
func (c *Counts) add(s *feature.CallFeatures) {
	for e := range feature.NumEvents {
		if t, ok := s.Trial(e); ok {
			c[t.Cell].Calls++
			if t.Hit {
				c[t.Cell].Hits++
			}
		}
	}
}

// ForEvent returns the sum over the cells of an event.
func (c *Counts) ForEvent(e feature.Event) Count {
	var sum Count
	from, to := e.CellRange()
	for i := from; i < to; i++ {
		sum.Hits += c[i].Hits
		sum.Calls += c[i].Calls
	}
	return sum
}

func (c Counts) MarshalJSON() ([]byte, error) {
	flat := make([]float64, 0, 2*feature.NumCells)
	for _, x := range c {
		flat = append(flat, x.Hits, x.Calls)
	}
	return json.Marshal(flat)
}

func (c *Counts) UnmarshalJSON(b []byte) error {
	var flat []float64
	if err := json.Unmarshal(b, &flat); err != nil {
		return err
	}
	if len(flat) != int(2*feature.NumCells) {
		return fmt.Errorf("counts of a baseline: %d numbers, want %d", len(flat), 2*feature.NumCells)
	}
	for i := range c {
		c[i] = Count{flat[2*i], flat[2*i+1]}
	}
	return nil
}

// Moments holds the number of runs, and the sum and the sum of squares of the logarithm of an amount over them.
type Moments struct {
	N    float64 `json:"n"`
	Sum  float64 `json:"sum"`
	Sum2 float64 `json:"sum2"`
}

// add counts the logarithm of a run's amount.
func (m *Moments) add(x float64) {
	m.N++
	m.Sum += x
	m.Sum2 += x * x
}
