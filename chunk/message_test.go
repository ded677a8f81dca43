package chunk_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// read returns the message of a chunk that contains all of it.
func read(t *testing.T, message []byte) (*chunk.Message, error) {
	t.Helper()
	var a chunk.Assembler
	chunks := firmware.Chunks(message, len(message)+8, firmware.CRCAfter)
	require.Len(t, chunks, 1)
	return a.Add(chunks[0])
}

func TestMessage_RoundTrip(t *testing.T) {
	contents := map[string][]byte{
		"empty":    {},
		"runs":     append(bytes.Repeat([]byte{0}, 5000), 1, 1, 2, 2, 2, 3),
		"no runs":  pattern(300),
		"one byte": {7},
	}
	for name, payload := range contents {
		for _, key := range []string{"", "0123456789abcdef0123456789abcdef"} {
			for _, compressed := range []bool{false, true} {
				m, err := read(t, firmware.Message(chunk.MessageCoredump, key, compressed, payload))
				require.NoError(t, err, name)
				assert.Equal(t, &chunk.Message{Type: chunk.MessageCoredump, ProjectKey: key, Payload: payload}, m, name)
			}
		}
	}
}

func TestMessage_Types(t *testing.T) {
	for kind := range chunk.MessageType(64) {
		m, err := read(t, firmware.Message(kind, "", false, []byte("abc")))
		require.NoError(t, err)
		assert.Equal(t, kind, m.Type)
	}
	var names []string
	for kind := range chunk.MessageType(7) {
		names = append(names, kind.String())
	}
	assert.Equal(t, []string{"type 0", "coredump", "event", "log", "recording", "MAR", "type 6"}, names)
}

func TestMessage_HidesProjectKey(t *testing.T) {
	const key = "5ec4e75ec4e75ec4e75ec4e75ec4e75e"
	m := &chunk.Message{Type: chunk.MessageLog, ProjectKey: key, Payload: []byte("abc")}
	encoded, err := json.Marshal(m)
	require.NoError(t, err)
	var text, object strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("got", "message", m)
	slog.New(slog.NewJSONHandler(&object, nil)).Info("got", "message", *m)
	printed := fmt.Sprintf("%v %+v %#v %s %v %#v", m, m, m, m, *m, *m)
	for _, output := range []string{printed, string(encoded), text.String(), object.String()} {
		assert.NotContains(t, output, key)
	}
	assert.Equal(t, "log message of 3 bytes", m.String())
}

func TestMessage_InvalidContent(t *testing.T) {
	long := strings.Repeat("k", 33)
	huge := binary.AppendVarint(nil, 1<<62)
	least := binary.AppendVarint(nil, -1<<63)
	bomb := bytes.Repeat(append(binary.AppendVarint(nil, 1<<20), 0), 17)
	for _, test := range []struct {
		name     string
		message  []byte
		from, to int
		hint     string
	}{
		{"key cut off", []byte("\x42short"), 1, 6, "project key"},
		{"key without end", []byte("\x42" + long), 1, 34, "project key"},
		{"short key", []byte("\x42short\x00" + long), 1, 34, "project key"},
		{"run without length", []byte{0x81, 0x80}, 1, 2, "no valid length"},
		{"run of 0", []byte{0x81, 1, 'a', 0, 5}, 3, 5, "empty"},
		{"run without byte", []byte{0x81, 2}, 1, 2, "cut off"},
		{"second run cut off", []byte{0x81, 3, 'a', 'b', 5, 'c'}, 4, 6, "cut off"},
		{"bytes missing", []byte{0x81, 5, 'a', 'b'}, 1, 4, "cut off"},
		{"key and run", append([]byte("\xc1"+long[:32]+"\x00"), 5, 'a'), 34, 36, "cut off"},
		{"huge run", append(append([]byte{0x81}, huge...), 0), 1, 12, "longer than the limit"},
		{"most negative run", append(append([]byte{0x81}, least...), 0), 1, 12, "cut off"},
		{"bomb of runs", append([]byte{0x81}, bomb...), 1 + 16*5, 1 + 17*5, "longer than the limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := read(t, test.message)
			assert.Nil(t, m)
			var damage *chunk.DamageError
			require.ErrorAs(t, err, &damage)
			assert.Equal(t, chunk.DamageContent, damage.Kind)
			assert.Equal(t, []int{test.from, test.to}, []int{damage.From, damage.To})
			assert.Contains(t, damage.Hint, test.hint)
		})
	}
}

func TestMessage_LimitAfterDecompression(t *testing.T) {
	for size, whole := range map[int]bool{1000: true, 1001: false} {
		a := chunk.Assembler{MaxMessage: 1000}
		m, err := a.Add(firmware.Chunks(firmware.Message(chunk.MessageCoredump, "", true, make([]byte, size)), 64, firmware.CRCAfter)[0])
		assert.Equal(t, whole, m != nil)
		assert.Equal(t, whole, err == nil)
	}
}
