package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table: a measured value, and its budget if it has one.
type row struct {
	name    string
	value   float64
	unit    string
	most    float64 // the value must not be above; no limit if 0
	least   float64 // the value must not be below; no limit if 0
	below   float64 // the value must be below; no limit if 0
	remarks string
}

func (r row) missed() bool {
	return r.most != 0 && r.value > r.most || r.least != 0 && r.value < r.least || r.below != 0 && r.value >= r.below
}

func (r row) budget() string {
	switch {
	case r.most != 0:
		return fmt.Sprintf("<= %.4g", r.most)
	case r.least != 0:
		return fmt.Sprintf(">= %.4g", r.least)
	case r.below != 0:
		return fmt.Sprintf("< %.4g", r.below)
	}
	return ""
}

func (r row) result() string {
	switch {
	case r.missed():
		return "MISSED"
	case r.budget() == "":
		return ""
	}
	return "ok"
}

// print writes the rows as a table. Flush returns the error of a write.
func print(out io.Writer, rows []row) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "what\tmeasured\tbudget\t\t")
	for _, r := range rows {
		_, _ = fmt.Fprintf(table, "%s\t%.4g %s\t%s\t%s\t%s\n", r.name, r.value, r.unit, r.budget(), r.result(), r.remarks)
	}
	return table.Flush()
}

// check returns an error that names the rows that missed their budget.
func check(rows []row) error {
	var missed []string
	for _, r := range rows {
		if r.missed() {
			missed = append(missed, fmt.Sprintf("%s: %.4g %s, budget %s", r.name, r.value, r.unit, r.budget()))
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return errors.New("budget missed: " + strings.Join(missed, "; "))
}

// median returns the middle value, or the mean of the two middle ones. It is 0 without values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 0:
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// interleave runs the functions in turn, rounds times, after one round that does not count.
// Each round starts with another function. It returns the times of each function.
func interleave(rounds int, functions ...func() error) ([][]time.Duration, error) {
	times := make([][]time.Duration, len(functions))
	for round := range rounds + 1 {
		for i := range functions {
			i = (i + round) % len(functions)
			start := time.Now()
			if err := functions[i](); err != nil {
				return nil, err
			}
			if round > 0 {
				times[i] = append(times[i], time.Since(start))
			}
		}
	}
	return times, nil
}

// ratio returns the median of the ratios of two functions' times in the same round.
func ratio(times, others []time.Duration) float64 {
	ratios := make([]float64, len(times))
	for i := range times {
		ratios[i] = float64(times[i]) / float64(others[i])
	}
	return median(ratios)
}
