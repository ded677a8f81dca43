package chunkexport_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/chunkexport"
)

func TestDecode_Forms(t *testing.T) {
	log := strings.Join([]string{
		"[00:00:01] <inf> boot",
		"[00:00:02] <inf> mflt: MC:AQID:",
		"MC:BAUG: MC:Bwg=:\r",
		"MC:CAK",               // 4: cut off
		"x MC:C!K: y MC:CQ==:", // 5: damaged, and a good one behind it
		"BMC:30: is a motor controller, and so is MC: 7",
		"0a0B0c0D0e",
		"0a0b0c0d0",        // 8: an odd number of digits
		"0a0b0czd0e0f0001", // 9: a damaged digit
		"feedbacks decadence 12345678 is prose",
		"MC:::",
		"MC:AA=A:", // 12: padding within
		"MC:Cg==:",
	}, "\n")
	var chunks []string
	var damaged []int
	for chunk, err := range chunkexport.Decode(strings.NewReader(log)) {
		if err == nil {
			chunks = append(chunks, fmt.Sprintf("%x", chunk))
			continue
		}
		var damage *chunkexport.Error
		require.ErrorAs(t, err, &damage)
		require.ErrorContains(t, err, fmt.Sprintf("line %d: ", damage.Line))
		damaged = append(damaged, damage.Line)
	}
	assert.Equal(t, []string{"010203", "040506", "0708", "09", "0a0b0c0d0e", "0a"}, chunks)
	assert.Equal(t, []int{4, 5, 8, 9, 12}, damaged)
}

func TestDecode_BoundedMemory(t *testing.T) {
	line := "x " + strings.Repeat("y", 300) + " MC:AQID:\n"
	long := strings.Repeat("z", 3<<20) + "\n" + "MC:" + strings.Repeat("A", 2<<20) + ":\n"
	reader := io.MultiReader(&repeat{text: line, left: 100_000}, strings.NewReader(long), strings.NewReader("MC:BA==:"))
	good, bad := 0, 0
	for _, err := range chunkexport.Decode(reader) {
		if err != nil {
			bad++
			require.ErrorContains(t, err, "line 100002: the line is longer than 1 MiB")
			continue
		}
		good++
	}
	assert.Equal(t, 100_001, good)
	assert.Equal(t, 1, bad)
}

// repeat reads a text again and again.
type repeat struct {
	text string
	left int
	rest string
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestDecode_ReaderFails(t *testing.T) {
	reader := io.MultiReader(strings.NewReader("MC:AQID:\nMC:BA==:"), brokenReader{})
	var chunks int
	var last error
	for _, err := range chunkexport.Decode(reader) {
		require.NoError(t, last, "the error must be last")
		if last = err; err == nil {
			chunks++
		}
	}
	require.ErrorIs(t, last, io.ErrClosedPipe)
	assert.Equal(t, 2, chunks)
	for range chunkexport.Decode(strings.NewReader("MC:AQID:MC:BA==:")) {
		break
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func FuzzDecode(f *testing.F) {
	f.Add("a MC:AQID: b\n0a0b0c0d\nMC:AA=A:MC:")
	f.Fuzz(func(t *testing.T, log string) {
		last := 0
		for chunk, err := range chunkexport.Decode(strings.NewReader(log)) {
			if (err == nil) != (len(chunk) > 0) {
				t.Fatalf("%q, %v", chunk, err)
			}
			var damage *chunkexport.Error
			if err != nil {
				require.ErrorAs(t, err, &damage)
				require.GreaterOrEqual(t, damage.Line, last)
				require.LessOrEqual(t, damage.Line, strings.Count(log, "\n")+1)
				last = damage.Line
			}
		}
	})
}
