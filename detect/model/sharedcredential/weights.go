package sharedcredential

import "math"

const (
	// maxFeatureWeight of what one feature may say: five to one.
	maxFeatureWeight = 1.6094379124341003 // ln 5
	// shrink is how many sessions the pooled bins weigh in those of either kind.
	shrink = 8
	// Fewer sessions of a kind in a set teach nothing.
	minHumanSessions, minMachineSessions = 20, 10
)

// Counts of sessions in the bins of a feature, in one set.
type Counts struct {
	Humans   []int `json:"humans"`
	Machines []int `json:"machines"`
}

func total(n []int) (sum int) {
	for _, x := range n {
		sum += x
	}
	return sum
}

func (c Counts) teaches() bool {
	return total(c.Humans) >= minHumanSessions && total(c.Machines) >= minMachineSessions
}

// pooled is the mean of the shares of the two kinds: neither outweighs the other.
func (c Counts) pooled() []float64 {
	out := make([]float64, len(c.Humans))
	h, m := float64(total(c.Humans)), float64(total(c.Machines))
	for i := range out {
		out[i] = (float64(c.Humans[i])/h + float64(c.Machines[i])/m) / 2
	}
	return out
}

// ratios are ln P(bin | machine) − ln P(bin | human), both posterior means of a
// multinomial under a Dirichlet prior of weight shrink around the pooled bins
// (Good 1965), moved towards 0 by one standard error of a log ratio of counts
// (Woolf 1955): a bin that few were in says little.
func (c Counts) ratios() []float64 {
	pool := c.pooled()
	out := make([]float64, len(pool))
	h, m := float64(total(c.Humans)), float64(total(c.Machines))
	for i, p := range pool {
		if p == 0 {
			continue
		}
		machines, humans := float64(c.Machines[i])+shrink*p, float64(c.Humans[i])+shrink*p
		r := math.Log(machines/(m+shrink)) - math.Log(humans/(h+shrink))
		out[i] = math.Copysign(max(0, math.Abs(r)-math.Sqrt(1/machines+1/humans)), r)
	}
	return out
}

// weights of a feature's bins: the mean of the ratios in the sets that have both
// kinds, made monotone in the direction in which the feature may speak, capped.
// Between sets nothing is compared: that would learn what the sets are of.
func weights(f Feature, sets map[string]Counts) []float64 {
	n := len(edges[f]) + 1
	mean, mass, k := make([]float64, n), make([]float64, n), 0.0
	for _, name := range sorted(sets) {
		c := sets[name]
		if !c.teaches() {
			continue
		}
		k++
		for i, r := range c.ratios() {
			mean[i] += r
		}
		for i, p := range c.pooled() {
			mass[i] += p
		}
	}
	if k == 0 {
		return nil
	}
	for i := range mean {
		mean[i] = mean[i] / k * machine[f]
		mass[i] = mass[i]/k + 1e-9
	}
	out := isotonic(mean, mass)
	for i := range out {
		out[i] = max(-maxFeatureWeight, min(maxFeatureWeight, out[i]*machine[f]))
	}
	return out
}

// isotonic is the nondecreasing sequence nearest to y by weighted least squares:
// pool adjacent violators (Ayer et al. 1955).
func isotonic(y, w []float64) []float64 {
	type block struct {
		mean, weight float64
		n            int
	}
	var blocks []block
	for i := range y {
		blocks = append(blocks, block{y[i], w[i], 1})
		for len(blocks) > 1 && blocks[len(blocks)-2].mean > blocks[len(blocks)-1].mean {
			b, a := blocks[len(blocks)-1], blocks[len(blocks)-2]
			sum := a.weight + b.weight
			blocks = append(blocks[:len(blocks)-2], block{(a.mean*a.weight + b.mean*b.weight) / sum, sum, a.n + b.n})
		}
	}
	out := make([]float64, 0, len(y))
	for _, b := range blocks {
		for range b.n {
			out = append(out, b.mean)
		}
	}
	return out
}
