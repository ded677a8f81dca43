package main

import (
	"regexp"
	"testing"
)

// The program runs all rows; these take a second each at most.
func TestTables(t *testing.T) {
	quick := regexp.MustCompile(`^(100 \+ 100|40 \+ 10|1 \+ 1,|50 \+ 50)`)
	for _, table := range tables() {
		for _, row := range table.rows {
			if quick.MatchString(row.name) {
				t.Run(row.name, func(t *testing.T) { t.Log(table.measure(t, row, false)) })
			}
		}
	}
}
