package chunk

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The limits of the content of a message.
const (
	maxDepth  = 16
	maxValues = 1 << 20
	maxEvents = 1 << 16 // each takes more memory than a value
)

// cborReader reads the part of CBOR (RFC 8949) that the firmware SDK writes: everything but
// items of indefinite length. No library is used: it is small, and returns what is unknown as it
// is.
type cborReader struct {
	content string // for errors
	b       []byte
	at      int
	values  int
}

func (r *cborReader) problem(at int, format string, args ...any) error {
	return &FormatError{Content: r.content, Offset: at, Problem: fmt.Sprintf(format, args...)}
}

// The major types of CBOR.
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

// head reads the start of a value: its major type, the additional information, and the number
// that it stands for.
func (r *cborReader) head() (major int, info byte, n uint64, err error) {
	start := r.at
	if r.values++; r.values > maxValues {
		return 0, 0, 0, r.problem(start, "more than %d values", maxValues)
	}
	if start >= len(r.b) {
		return 0, 0, 0, r.problem(start, "cut off")
	}
	major, info = int(r.b[start]>>5), r.b[start]&0x1F
	r.at++
	if info < 24 {
		return major, info, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, 0, r.problem(start, "invalid value 0x%02x", r.b[start])
	}
	size := 1 << (info - 24)
	if size > len(r.b)-r.at {
		return 0, 0, 0, r.problem(start, "cut off")
	}
	var number [8]byte
	copy(number[8-size:], r.b[r.at:])
	r.at += size
	return major, info, binary.BigEndian.Uint64(number[:]), nil
}

// length checks the number of the bytes, elements or pairs that follow. Each has at least one
// byte.
func (r *cborReader) length(start int, n uint64) (int, error) {
	if n > uint64(len(r.b)-r.at) { //nolint:gosec // not negative
		return 0, r.problem(start, "cut off")
	}
	return int(n), nil //nolint:gosec // at most len(r.b)
}

// value reads any value; see [Field] for its types.
func (r *cborReader) value(depth int) (any, error) {
	start := r.at
	major, info, n, err := r.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case cborUint:
		if n > math.MaxInt64 {
			return n, nil
		}
		return int64(n), nil
	case cborNegative:
		if n > math.MaxInt64 {
			return nil, r.problem(start, "number below the range of 64 bits")
		}
		return -1 - int64(n), nil
	case cborBytes, cborText:
		size, err := r.length(start, n)
		if err != nil {
			return nil, err
		}
		content := r.b[r.at : r.at+size : r.at+size]
		r.at += size
		if major == cborText {
			return string(content), nil
		}
		return content, nil
	case cborSimple:
		return r.simple(start, info, n)
	}
	if depth == maxDepth {
		return nil, r.problem(start, "nested more than %d levels deep", maxDepth)
	}
	if major == cborTag {
		content, err := r.value(depth + 1)
		return Tagged{n, content}, err
	}
	size, err := r.length(start, n)
	if err != nil {
		return nil, err
	}
	if major == cborMap {
		fields := make([]Field, 0, min(size, 16))
		for range size {
			field, err := r.field(depth + 1)
			if err != nil {
				return nil, err
			}
			fields = append(fields, field)
		}
		return fields, nil
	}
	elements := make([]any, 0, min(size, 64))
	for range size {
		element, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	return elements, nil
}

// field reads a pair of a map.
func (r *cborReader) field(depth int) (f Field, err error) {
	if f.Key, err = r.value(depth); err == nil {
		f.Value, err = r.value(depth)
	}
	return f, err
}

// simple reads a bool, a null or a floating-point number.
func (r *cborReader) simple(start int, info byte, n uint64) (any, error) {
	switch info {
	case 20, 21:
		return info == 21, nil
	case 22, 23: // null and undefined
		return nil, nil
	case 25:
		return float16(uint16(n)), nil //nolint:gosec // 2 bytes were read
	case 26:
		return float64(math.Float32frombits(uint32(n))), nil //nolint:gosec // 4 bytes were read
	case 27:
		return math.Float64frombits(n), nil
	default:
		return nil, r.problem(start, "unknown simple value %d", n)
	}
}

// float16 returns the value of a floating-point number of half precision.
func float16(bits uint16) float64 {
	exponent, mantissa := int(bits>>10&0x1F), float64(bits&0x3FF)
	value := math.Ldexp(1+mantissa/1024, exponent-15)
	switch {
	case exponent == 0:
		value = math.Ldexp(mantissa, -24)
	case exponent == 0x1F && mantissa == 0:
		value = math.Inf(1)
	case exponent == 0x1F:
		value = math.NaN()
	}
	if bits&0x8000 != 0 {
		return -value
	}
	return value
}
