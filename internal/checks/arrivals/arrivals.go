// Package arrivals compares a numbered sequence with the numbers that arrived. Programs use it
// to prove that nothing is lost and that the order is kept.
package arrivals

// Count is the result of a comparison, or the sum of several results.
type Count struct {
	Arrived    int // all arrivals
	Distinct   int // different numbers that arrived
	Missing    int // required numbers that did not arrive
	Misordered int // numbers that first arrived after a higher number
	Beyond     int // different numbers that are too high for the sequence
}

// Compare compares the sequence 0 to total-1 with the numbers that arrived, in the order of
// arrival. A number for which optional returns true need not arrive; optional can be nil.
func Compare(total int, optional func(number int) bool, arrived []int) Count {
	c := Count{Arrived: len(arrived)}
	seen, latest := map[int]bool{}, -1
	for _, number := range arrived {
		if seen[number] {
			continue
		}
		seen[number] = true
		if number >= total {
			c.Beyond++
		}
		if number < latest {
			c.Misordered++
		}
		latest = max(latest, number)
	}
	c.Distinct = len(seen)
	for number := range total {
		if !seen[number] && (optional == nil || !optional(number)) {
			c.Missing++
		}
	}
	return c
}

// Repeated returns how often a number arrived again.
func (c Count) Repeated() int { return c.Arrived - c.Distinct }

// Add returns the sum of two counts.
func (c Count) Add(other Count) Count {
	return Count{
		c.Arrived + other.Arrived, c.Distinct + other.Distinct, c.Missing + other.Missing,
		c.Misordered + other.Misordered, c.Beyond + other.Beyond,
	}
}
