package arrivals_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/checks/arrivals"
)

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		arrived []int
		want    arrivals.Count
	}{
		"complete":          {[]int{0, 1, 2, 3}, arrivals.Count{Arrived: 4, Distinct: 4}},
		"nothing":           {nil, arrivals.Count{Missing: 3}},
		"lost":              {[]int{0, 2, 3}, arrivals.Count{Arrived: 3, Distinct: 3, Missing: 1}},
		"optional lost":     {[]int{0, 1, 2}, arrivals.Count{Arrived: 3, Distinct: 3}},
		"repeated":          {[]int{0, 1, 0, 1, 2, 3}, arrivals.Count{Arrived: 6, Distinct: 4}},
		"two exchanged":     {[]int{0, 2, 1, 3}, arrivals.Count{Arrived: 4, Distinct: 4, Misordered: 1}},
		"last one first":    {[]int{3, 0, 1, 2}, arrivals.Count{Arrived: 4, Distinct: 4, Misordered: 3}},
		"beyond the end":    {[]int{0, 1, 2, 3, 4, 4}, arrivals.Count{Arrived: 6, Distinct: 5, Beyond: 1}},
		"not of the series": {[]int{-1, 0, 1, 2, 3}, arrivals.Count{Arrived: 5, Distinct: 5}},
	} {
		got := arrivals.Compare(4, func(number int) bool { return number == 3 }, c.arrived)
		assert.Equal(t, c.want, got, name)
		assert.Equal(t, c.want.Arrived-c.want.Distinct, got.Repeated())
	}
	assert.Equal(t, 1, arrivals.Compare(1, nil, nil).Missing)
	one := arrivals.Count{Arrived: 1, Distinct: 2, Missing: 3, Misordered: 4, Beyond: 5}
	assert.Equal(t, arrivals.Count{Arrived: 2, Distinct: 4, Missing: 6, Misordered: 8, Beyond: 10}, one.Add(one))
}
