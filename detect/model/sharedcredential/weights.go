package sharedcredential

import "math"

const (
	// maxFeatureWeight limits the weight of one feature: a likelihood ratio of five to one.
	maxFeatureWeight = 1.6094379124341003 // ln 5
	// shrink is the weight of the pooled bins as the prior of either kind, in sessions.
	shrink = 8
	// A set with fewer sessions of a kind is not used.
	minHumanSessions, minMachineSessions = 20, 10
)

// Counts holds the number of sessions in each bin of a feature, in one set.
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

// pooled returns for each bin the mean of the shares of the two kinds, which gives both kinds the same weight.
func (c Counts) pooled() []float64 {
	out := make([]float64, len(c.Humans))
	h, m := float64(total(c.Humans)), float64(total(c.Machines))
	for i := range out {
		out[i] = (float64(c.Humans[i])/h + float64(c.Machines[i])/m) / 2
	}
	return out
}

// ratios returns ln P(bin | machine) − ln P(bin | human) for each bin. Both are posterior means of a
// multinomial under a Dirichlet prior of weight shrink around the pooled bins
// (Good 1965). The result is moved towards 0 by one standard error of a log ratio of counts
// (Woolf 1955), so that a bin with few sessions has a small ratio.
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

// weights returns the weights of a feature's bins: the mean of the ratios of the sets that have enough sessions of both
// kinds, made monotone in the direction of machine, and capped. It compares people and machines only within a set,
// because a comparison between sets would learn the differences between the sets.
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

// isotonic returns the nondecreasing sequence nearest to y by weighted least squares
// (pool adjacent violators, Ayer et al. 1955).
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
