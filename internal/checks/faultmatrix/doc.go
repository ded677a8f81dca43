// Package faultmatrix calls every kind of operation under every kind of fault and checks
// four things in each cell: how many requests the server receives, how long the call takes,
// of which kinds its error is, and that no goroutine, connection or response body is left.
//
// The expectations are computed from the rules in the documentation of package memfault, not
// recorded from a run. The cells run in bubbles of testing/synctest, with connections in
// memory. The test compares docs/faults.md with the table, and go generate writes it.
package faultmatrix

//go:generate go test -run TestPage . -update
