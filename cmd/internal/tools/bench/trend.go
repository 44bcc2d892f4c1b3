package main

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// trend is a straight line through figures over time, by least squares.
type trend struct {
	mean        float64
	growth      float64 // from the first figure to the last, on the line
	least, most float64 // 95 % interval of growth; infinite if there are too few figures
}

// fitTrend fits a line to figures y at times x. Neighbours resemble each other (a heap between two
// collections), so the interval counts only as many figures as would be independent with the
// residuals' correlation from one to the next.
func fitTrend(x, y []float64) trend {
	if len(x) < 3 {
		t := trend{mean: math.NaN(), growth: math.NaN(), least: math.Inf(-1), most: math.Inf(1)}
		if len(y) > 0 {
			t.mean = stat.Mean(y, nil)
		}
		return t
	}
	at, slope := stat.LinearRegression(x, y, nil, false)
	span := x[len(x)-1] - x[0]
	t := trend{mean: stat.Mean(y, nil), growth: slope * span, least: math.Inf(-1), most: math.Inf(1)}
	var squares, products, spread float64
	mean := stat.Mean(x, nil)
	residual := func(i int) float64 { return y[i] - at - slope*x[i] }
	for i := range x {
		squares += residual(i) * residual(i)
		spread += (x[i] - mean) * (x[i] - mean)
		if i > 0 {
			products += residual(i) * residual(i-1)
		}
	}
	n := float64(len(x))
	if squares <= 1e-24*(1+t.mean*t.mean)*n {
		t.least, t.most = t.growth, t.growth
		return t
	}
	r := max(products/squares, 0)
	independent := n * (1 - r) / (1 + r)
	if independent <= 2 {
		return t
	}
	deviation := math.Sqrt(squares / (independent - 2) / spread)
	half := distuv.StudentsT{Sigma: 1, Nu: independent - 2}.Quantile(0.975) * deviation * span
	t.least, t.most = t.growth-half, t.growth+half
	return t
}

// judgement is what a trend means.
type judgement string

const (
	flat      judgement = "flat"      // the interval of the growth is below what is tolerated
	rises     judgement = "rises"     // it is above what is tolerated
	undecided judgement = "undecided" // it is on both sides: too short or too noisy
)

// judge compares the growth with what is tolerated, in the unit of the figures.
func (t trend) judge(tolerated float64) judgement {
	switch {
	case t.most <= tolerated:
		return flat
	case t.least > tolerated:
		return rises
	}
	return undecided
}

func (t trend) String() string {
	return fmt.Sprintf("mean %.4g, grows by %.3g [%.3g, %.3g]", t.mean, t.growth, t.least, t.most)
}
