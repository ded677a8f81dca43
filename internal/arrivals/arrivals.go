// Package arrivals compares a numbered sequence with the numbers that arrived of it, for
// programs that prove that nothing is lost and that the order is kept.
package arrivals

// Count is a comparison. The sum of several is a comparison too.
type Count struct {
	Arrived    int // in all
	Distinct   int // without repetitions
	Missing    int // numbers that did not arrive although they must
	Misordered int // first arrivals after that of a higher number
	Beyond     int // distinct numbers from the end of the sequence on
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

// Add returns the sum of two comparisons.
func (c Count) Add(other Count) Count {
	return Count{
		c.Arrived + other.Arrived, c.Distinct + other.Distinct, c.Missing + other.Missing,
		c.Misordered + other.Misordered, c.Beyond + other.Beyond,
	}
}
