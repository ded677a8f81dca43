// Package narrow works on 64-bit systems only.
package narrow

import "sync/atomic"

// Limit does not fit into an int of 32 bits.
const Limit = 1 << 40

type counters struct {
	small int32
	large int64
}

var all counters

func add() { atomic.AddInt64(&all.large, int64(all.small)) }
