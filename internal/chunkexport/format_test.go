package chunkexport_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/chunkexport"
)

// read returns the form of a file, and what it contains with its places.
func read(t testing.TB, file io.Reader) (chunkexport.Format, []string) {
	t.Helper()
	format, chunks := chunkexport.Read(file)
	var found []string
	for chunk, err := range chunks {
		var damage *chunkexport.Error
		if errors.As(err, &damage) {
			found = append(found, damage.Error())
			continue
		}
		require.NoError(t, err)
		require.NotEmpty(t, chunk.Data)
		found = append(found, fmt.Sprintf("line %d, byte %d: %x", chunk.Line, chunk.Offset, chunk.Data))
	}
	return format, found
}

// inBytes returns a file of FormatBytes.
func inBytes(chunks ...[]byte) (file []byte) {
	for _, chunk := range chunks {
		file = append(binary.LittleEndian.AppendUint32(file, uint32(len(chunk))), chunk...)
	}
	return file
}

func TestRead(t *testing.T) {
	const raw, text, log = chunkexport.FormatBytes, chunkexport.FormatBase64, chunkexport.FormatLog
	utf16LE := inUTF16(binary.LittleEndian, "CAECAw==\r\nSAQFBg==\r\n")
	for name, c := range map[string]struct {
		file   string
		format chunkexport.Format
		want   []string
	}{
		"log":              {"boot\nmflt: MC:CAECAw==:\r\n", log, []string{"line 2, byte 11: 08010203"}},
		"hexadecimal":      {"08010203\n48040506\n", log, []string{"line 1, byte 0: 08010203", "line 2, byte 9: 48040506"}},
		"text":             {"hello\nworld\n", log, nil},
		"empty":            {"", log, nil},
		"one byte":         {"\x08", log, nil},
		"lines":            {"CAECAw==\nSAQFBg==\n", text, []string{"line 1, byte 0: 08010203", "line 2, byte 9: 48040506"}},
		"one line, no end": {"CAECAw==", text, []string{"line 1, byte 0: 08010203"}},
		"byte order mark":  {"\xef\xbb\xbfCAECAw==\n", text, []string{"line 1, byte 3: 08010203"}},
		"UTF-16":           {utf16LE, text, []string{"line 1, byte 2: 08010203", "line 2, byte 22: 48040506"}},
		"JSON":             {"[\"CAECAw==\",\"SAQFBg==\"]\n", text, []string{"line 1, byte 2: 08010203", "line 1, byte 13: 48040506"}},
		"no padding, URLs": {"CAECAw\n\nwP__-g\n", text, []string{"line 1, byte 0: 08010203", "line 3, byte 8: c0fffffa"}},
		"a damaged line": {
			strings.Repeat("CAECAw==\n", 8) + "CAE?Aw==\n", text,
			append(repeated(8), `line 9, byte 72: invalid character "?"`),
		},
		"a cut line":      {"CAECAw==\nCAECA\n", text, []string{"line 1, byte 0: 08010203", "line 2, byte 9: invalid base64: 5 characters"}},
		"another word":    {"CAECAw==\n====\n", text, []string{"line 1, byte 0: 08010203", "line 2, byte 9: empty"}},
		"words":           {"boot\nCAECAw==\nmore text\n", log, nil},
		"a word of a log": {"SAMPLING started\nMC:CAECAw==:\n", log, []string{"line 2, byte 17: 08010203"}},

		"bytes":          {string(inBytes([]byte{8, 1, 2, 3}, []byte{0x48})), raw, []string{"line 0, byte 0: 08010203", "line 0, byte 8: 48"}},
		"text in bytes":  {string(inBytes([]byte("\x08MC:AQID:\n"), []byte("MC:"))), raw, []string{"line 0, byte 0: 084d433a415149443a0a", "line 0, byte 14: 4d433a"}},
		"no bytes":       {string(inBytes([]byte{8}, nil, []byte{9})), raw, []string{"line 0, byte 0: 08", "byte 5: empty", "line 0, byte 9: 09"}},
		"cut bytes":      {string(inBytes([]byte{8}, []byte{8, 9, 10})[:11]), raw, []string{"line 0, byte 0: 08", "byte 5: cut off at the end of the file: it has 2 bytes of the chunk"}},
		"cut length":     {string(inBytes([]byte{8}, nil)[:8]), raw, []string{"line 0, byte 0: 08", "byte 5: cut off at the end of the file: it has 0 bytes of the chunk"}},
		"damaged length": {string(inBytes([]byte{8})) + "\x00\x00\x20\x00\x01", raw, []string{"line 0, byte 0: 08", "byte 5: length of 2097152 bytes: the next chunk cannot be found"}},
		"noise":          {"\x00\x00\x00\x00\nMC:CAECAw==:", log, []string{"line 2, byte 5: 08010203"}},
		"other noise":    {"\x03\x00\x00\x00\nMC:CAECAw==:", log, []string{"line 2, byte 5: 08010203"}},
	} {
		t.Run(name, func(t *testing.T) {
			format, found := read(t, strings.NewReader(c.file))
			assert.Equal(t, c.want, found)
			assert.Equal(t, c.format.String(), format.String())
			if !strings.Contains(name, "damaged line") && !strings.Contains(name, "noise") && name != "words" { // their form shows later
				again, same := read(t, iotest.OneByteReader(strings.NewReader(c.file)))
				assert.Equal(t, c.want, same)
				assert.Equal(t, format, again)
			}
		})
	}
}

func repeated(n int) (found []string) {
	for i := range n {
		found = append(found, fmt.Sprintf("line %d, byte %d: 08010203", i+1, 9*i))
	}
	return found
}

func TestRead_Limits(t *testing.T) {
	long := append([]byte{8}, make([]byte, 768<<10-1)...)
	text := base64.StdEncoding.EncodeToString(long)
	format, chunks := chunkexport.Read(strings.NewReader("CAECAw==\n" + text + "\n" + text + "AAAA\nCAECAw==\n"))
	assert.Equal(t, chunkexport.FormatBase64, format)
	var sizes []int
	for chunk, err := range chunks {
		if err != nil {
			require.ErrorContains(t, err, "line 3, byte 1048586: longer than 1 MiB")
		}
		sizes = append(sizes, len(chunk.Data))
	}
	assert.Equal(t, []int{4, 768 << 10, 0, 4}, sizes)
}

func TestRead_ReaderFails(t *testing.T) {
	for name, start := range map[string]string{
		"log": "MC:CAECAw==:\nMC:", "base64": "CAECAw==\nCAEC", "bytes": string(inBytes([]byte{8, 1, 2, 3}, []byte{1, 2})[:11]),
		"length": string(inBytes([]byte{8, 1, 2, 3}, []byte{1, 2})[:10]),
	} {
		t.Run(name, func(t *testing.T) {
			_, chunks := chunkexport.Read(io.MultiReader(strings.NewReader(start), iotest.ErrReader(io.ErrClosedPipe)))
			var found []string
			for chunk, err := range chunks {
				if err != nil {
					found = append(found, err.Error())
				} else {
					found = append(found, hex.EncodeToString(chunk.Data))
				}
			}
			assert.Equal(t, []string{"08010203", io.ErrClosedPipe.Error()}, found)
		})
	}
	for _, file := range []string{"MC:CAECAw==:\nMC:CAECAw==:", "CAECAw==\nCAECAw==", string(inBytes([]byte{8}, nil, nil)), string(inBytes([]byte{8}, []byte{8}))} {
		_, chunks := chunkexport.Read(strings.NewReader(file))
		for range chunks {
			break
		}
	}
}

// FuzzRead reads any file, and the same chunks in each form.
func FuzzRead(f *testing.F) {
	f.Add([]byte("CAECAw==\nSAQFBg==\n"), []byte{8, 1, 2, 3})
	f.Add([]byte(`["CAECAw=="]`), []byte{0xc0, 1, 0xff})
	f.Add(inBytes([]byte{8, 1}, nil, []byte{9}), []byte{0x48})
	f.Add([]byte(inUTF16(binary.BigEndian, "CAECAw==")), []byte("MC:"))
	f.Fuzz(func(t *testing.T, file, chunk []byte) {
		_, found := read(t, bytes.NewReader(file))
		_, again := read(t, iotest.DataErrReader(bytes.NewReader(file)))
		require.Equal(t, found, again)
		if len(chunk) < 4 || !strings.Contains("\x00\x08\x40\x48\x80\xc0", string(chunk[:1])) {
			return
		}
		list, err := json.Marshal([][]byte{chunk, chunk})
		require.NoError(t, err)
		for format, file := range map[chunkexport.Format][]byte{
			chunkexport.FormatLog:    fmt.Appendf(nil, "MC:%s:\n%x\n", base64.StdEncoding.EncodeToString(chunk), chunk),
			chunkexport.FormatBase64: list,
			chunkexport.FormatBytes:  inBytes(chunk, chunk),
		} {
			got, found := read(t, bytes.NewReader(file))
			require.Equal(t, format, got)
			require.Len(t, found, 2)
			for _, one := range found {
				require.True(t, strings.HasSuffix(one, fmt.Sprintf(": %x", chunk)))
			}
		}
	})
}
