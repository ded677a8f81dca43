package poisson_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/examples/dashboard/internal/poisson"
)

// The numbers are those of the tables of exact Poisson limits.
func TestRate_PublishedLimits(t *testing.T) {
	for count, want := range map[int]poisson.Interval{
		0: {0, 3.6889}, 1: {0.0253, 5.5716}, 3: {0.6187, 8.7673}, 10: {4.7954, 18.3904}, 100: {81.3639, 121.6266},
	} {
		rate, in := poisson.Rate(count, 1)
		assert.InDelta(t, count, rate, 1e-9)
		assert.InDelta(t, want.Low, in.Low, 1e-3, "%d", count)
		assert.InDelta(t, want.High, in.High, 1e-3, "%d", count)
	}
	rate, in := poisson.Rate(10, 200)
	assert.InDelta(t, 0.05, rate, 1e-9)
	assert.InDelta(t, 18.3904/200, in.High, 1e-5)
}

// 11 events in 800 and 21 in 3011: the example of poisson.test in the manual of R.
func TestRatio_PublishedExample(t *testing.T) {
	ratio, in := poisson.Ratio(11, 800, 21, 3011)
	assert.InDelta(t, 1.971488, ratio, 1e-6)
	assert.InDelta(t, 0.8584264, in.Low, 1e-6)
	assert.InDelta(t, 4.2772659, in.High, 1e-6)
}

// At each limit, the probability of what was counted, or of something more extreme, is 2.5 %.
// The test adds the binomial probabilities one by one.
func TestRatio_LimitsHaveTheirProbability(t *testing.T) {
	for _, test := range []struct{ x1, x2 int }{{1, 1}, {5, 0}, {0, 5}, {57, 30}, {3, 40}, {200, 210}, {1, 900}} {
		const t1, t2 = 655.0, 2150.0
		_, in := poisson.Ratio(test.x1, t1, test.x2, t2)
		n := test.x1 + test.x2
		between := func(from, to int, ratio float64) (sum float64) {
			p := ratio * t1 / (ratio*t1 + t2)
			all, _ := math.Lgamma(float64(n) + 1)
			for k := from; k <= to; k++ {
				a, _ := math.Lgamma(float64(k) + 1)
				b, _ := math.Lgamma(float64(n-k) + 1)
				sum += math.Exp(all - a - b + float64(k)*math.Log(p) + float64(n-k)*math.Log(1-p))
			}
			return sum
		}
		if test.x1 == 0 {
			assert.Zero(t, in.Low)
		} else {
			assert.InDelta(t, 0.025, between(test.x1, n, in.Low), 1e-9, "%v", test)
		}
		if test.x2 == 0 {
			assert.True(t, math.IsInf(in.High, 1))
		} else {
			assert.InDelta(t, 0.025, between(0, test.x1, in.High), 1e-9, "%v", test)
		}
	}
}

func TestRatio_WithoutEvents(t *testing.T) {
	ratio, in := poisson.Ratio(0, 10, 0, 20)
	assert.True(t, math.IsNaN(ratio))
	assert.Equal(t, poisson.Interval{Low: 0, High: math.Inf(1)}, in)
}

// Large counts of a large fleet converge.
func TestRatio_LargeCounts(t *testing.T) {
	for _, x := range []int{1_000, 100_000, 5_000_000} {
		ratio, in := poisson.Ratio(2*x, 1, x, 1)
		width := 1.96 * math.Sqrt(1.5/float64(x))
		assert.InDelta(t, 2, ratio, 1e-9)
		assert.InDelta(t, math.Log(2)-width, math.Log(in.Low), 0.1*width)
		assert.InDelta(t, math.Log(2)+width, math.Log(in.High), 0.1*width)
		_, rate := poisson.Rate(x, 1)
		assert.InDelta(t, 1-1.96/math.Sqrt(float64(x)), rate.Low/float64(x), 0.2/math.Sqrt(float64(x)))
		assert.InDelta(t, 1+1.96/math.Sqrt(float64(x)), rate.High/float64(x), 0.2/math.Sqrt(float64(x)))
	}
}
