// Package poisson compares how often something happens, for example reboots in device-days. It
// takes the counts as Poisson counts: they happen independently of each other.
package poisson

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Confidence is the confidence level of all intervals.
const Confidence = 0.95

const tail = (1 - Confidence) / 2

// Interval is a range that contains the true value with [Confidence]. High can be infinite.
type Interval struct{ Low, High float64 }

// Rate returns the rate of count events in an exposure greater than 0, and its exact interval:
// that of Garwood, from quantiles of the gamma distribution.
func Rate(count int, exposure float64) (rate float64, in Interval) {
	x := float64(count)
	in.High = mathext.GammaIncRegInv(x+1, 1-tail) / exposure
	if count > 0 {
		in.Low = mathext.GammaIncRegInv(x, tail) / exposure
	}
	return x / exposure, in
}

// Ratio returns the ratio of the first rate to the second, and its exact interval. Exposures must
// be greater than 0. Without a second event the ratio is infinite; without any event it is NaN and
// the interval is from 0 to infinity.
//
// Of all events together, the share of the first has a binomial distribution. The interval of this
// share, that of Clopper and Pearson, gives the interval of the ratio.
func Ratio(count1 int, exposure1 float64, count2 int, exposure2 float64) (ratio float64, in Interval) {
	x1, x2 := float64(count1), float64(count2)
	scale := exposure2 / exposure1
	in.High = math.Inf(1)
	if count1 > 0 {
		p := mathext.InvRegIncBeta(x1, x2+1, tail)
		in.Low = p / (1 - p) * scale
	}
	if count2 > 0 {
		p := mathext.InvRegIncBeta(x1+1, x2, 1-tail)
		in.High = p / (1 - p) * scale
	}
	return x1 / x2 * scale, in
}
