package chunk

import (
	"encoding/binary"
	"slices"
)

// run is a part of compressed data: either one byte that is repeated, or bytes that stand for
// themselves.
type run struct {
	size    int
	content []byte // one byte if repeated is set, otherwise size
	repeat  bool
}

// nextRun reads the run at the start of b. It returns what is after it, or a problem.
func nextRun(b []byte) (r run, rest []byte, problem string) {
	n, used := binary.Varint(b)
	if used <= 0 {
		return run{}, nil, "a run of the compression has no valid length"
	}
	rest = b[used:]
	switch {
	case n == 0:
		return run{}, nil, "a run of the compression is empty"
	case n > 0 && len(rest) > 0:
		return run{size: int(min(n, maxOffset)), content: rest[:1], repeat: true}, rest[1:], ""
	case n < 0 && n >= -int64(len(rest)):
		return run{size: int(-n), content: rest[:-n]}, rest[-n:], ""
	default:
		return run{}, nil, "a run of the compression is cut off"
	}
}

// expand returns the data of which b is the run-length encoding. It computes the size before it
// allocates memory, and returns a problem with its place if the size is above the limit.
func expand(b []byte, limit int) (data []byte, at int, problem string) {
	size := 0
	for rest := b; len(rest) > 0; {
		start := len(b) - len(rest)
		r, after, problem := nextRun(rest)
		if problem != "" {
			return nil, start, problem
		}
		if size += r.size; size > limit {
			return nil, start, "the message is longer than the limit after its decompression"
		}
		rest = after
	}
	data = make([]byte, 0, size)
	for rest := b; len(rest) > 0; {
		var r run
		r, rest, _ = nextRun(rest) // checked above
		if !r.repeat {
			data = append(data, r.content...)
			continue
		}
		data = slices.Grow(data, r.size)[:len(data)+r.size]
		repeated := data[len(data)-r.size:]
		for i := range repeated {
			repeated[i] = r.content[0]
		}
	}
	return data, 0, ""
}
