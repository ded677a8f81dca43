package chunkexport_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/chunkexport"
)

// decode returns the chunks of a log in hexadecimal, and a damaged one as its line and
// problem.
func decode(t testing.TB, log io.Reader) (found []string) {
	t.Helper()
	last := int64(-1)
	for chunk, err := range chunkexport.Decode(log) {
		if err == nil {
			require.NotEmpty(t, chunk.Data)
			require.Greater(t, chunk.Offset, last, "chunks must be in order")
			last = chunk.Offset
			found = append(found, hex.EncodeToString(chunk.Data))
			continue
		}
		require.Zero(t, chunk)
		var damage *chunkexport.Error
		require.ErrorAs(t, err, &damage)
		require.Greater(t, damage.Offset, last, "damaged chunks must be in order")
		last = damage.Offset
		found = append(found, fmt.Sprintf("%d: %v", damage.Line, damage.Err))
	}
	return found
}

const (
	cutLine = "1: cut off at the end of the line"
	cutLog  = "1: cut off at the end of the log"
	cutNext = "1: cut off by the next chunk"
	first   = "1: invalid first character"
	tooLong = "1: longer than 1 MiB"
)

func length(n int) string {
	return fmt.Sprintf("1: invalid base64: %d characters, not a multiple of 4", n)
}

func invalid(c string) string { return fmt.Sprintf("1: invalid character %q", c) }

func TestDecode_Base64(t *testing.T) {
	for name, c := range map[string]struct {
		log  string
		want []string
	}{
		"alone":                  {"MC:AQID:", []string{"010203"}},
		"behind a log prefix":    {"[00:00:02] <inf> mflt: MC:AQID:\n", []string{"010203"}},
		"padding":                {"MC:Bwg=:\nMC:CQ==:\n", []string{"0708", "09"}},
		"several in a line":      {"MC:AQID: MC:BAUG:MC:CQ==:", []string{"010203", "040506", "09"}},
		"text after":             {"MC:AQID:and more", []string{"010203"}},
		"colors":                 {"\x1b[0;37mMC:AQID:\x1b[0m\n\x1b[2K\x1b[1GMC:BAUG:\x1b[0m\n", []string{"010203", "040506"}},
		"glued text":             {"tickMC:AQID:tockMC:BAUG:\n", []string{"010203", "040506"}},
		"glued M and C":          {"MMC:AQID:MCMC:BAUG:MC", []string{"010203", "040506"}},
		"glued digits":           {"12MC:AQID:", []string{"010203"}},
		"escaped line end":       {`{"log":"boot\nMC:AQID:\nMC:BAUG:\r\n"}`, []string{"010203", "040506"}},
		"escaped color":          {`\u001b[0mMC:AQID:\u001b[0m`, []string{"010203"}},
		"escaped slash":          {`MC:\/\/\/\/:`, []string{"ffffff"}},
		"escaped plus and slash": {`MC:\u002b\u002B\u002f\u002F:`, []string{"fbefff"}},
		"escaped padding":        {`MC:AQ\u003d\u003D:`, []string{"01"}},
		"line end is \\r":        {"MC:AQID:\rMC:BAUG:\rMC:CQ==:\r", []string{"010203", "040506", "09"}},
		"not UTF-8":              {"\xffMC:AQID:\x00MC:BAUG:", []string{"010203", "040506"}},

		"cut off by a line end":    {"MC:AQ\nMC:BAUG:", []string{cutLine, "040506"}},
		"cut off by \\r":           {"MC:AQ\rMC:BAUG:", []string{cutLine, "040506"}},
		"cut off by the log":       {"MC:AQID", []string{cutLog}},
		"cut off after MC:":        {"MC:\nMC:", []string{cutLine, "2: cut off at the end of the log"}},
		"cut off by a chunk":       {"MC:AMC:BAUG:", []string{length(3), "040506"}},
		"cut off after MC: by one": {"MC:MC:BAUG:", []string{length(2), "040506"}},
		"cut off and valid so":     {"MC:AQMC:BAUG:", []string{cutNext, "040506"}},
		"cut off twice":            {"MC:AQMC:AQMC:BAUG:", []string{cutNext, cutNext, "040506"}},
		"cut off often":            {"MC:AQMC:AMC:AQMC:BAUG:", []string{"010302", cutNext, "040506"}},
		"no colon":                 {"MC:AQID MC:BAUG:", []string{invalid(" "), "040506"}},
		"damaged":                  {"x MC:C!K: y MC:CQ==:", []string{invalid("!"), "09"}},
		"damaged, not ASCII":       {"MC:AQ\xffD:MC:CQ==:", []string{invalid("\xff"), "09"}},
		"damaged by a color":       {"MC:AQ\x1b[0mID:MC:CQ==:", []string{invalid("\x1b"), "09"}},
		"damaged escape":           {`MC:AQ\u002x:MC:CQ==:`, []string{invalid(`\`), "09"}},
		"unknown escape":           {`MC:AQ\nMC:CQ==:`, []string{invalid(`\`), "09"}},
		"escape cut off":           {`MC:AQ\u00MC:CQ==:`, []string{invalid(`\`), "09"}},
		"no content":               {"MC::MC:CQ==:", []string{"1: empty", "09"}},
		"colons":                   {"MC:::", []string{"1: empty"}},
		"padding within":           {"MC:AA=A:MC:CQ==:", []string{"1: illegal base64 data at input byte 2", "09"}},
		"padding missing":          {"MC:CQ:", []string{length(2)}},
		"padding bits":             {"MC:CR==:", []string{"1: illegal base64 data at input byte 2"}},
		"a controller's name":      {"BMC:30: is a motor controller", []string{length(2)}},

		"MC: before a blank":       {"the state of MC: 7 is MC:\t8", nil},
		"and a word":               {"MC: ready: and MC: yes, and MC: ", nil},
		"and a chunk":              {"MC: MC:AQID:MC: xyMC:BAUG:", []string{"010203", "040506"}},
		"almost MC:":               {"MC AQID: MD:AQID: mc:AQID: M\nC:AQID: MC\n:AQID:", nil},
		"ends with MC":             {"MC:AAMC:\nMC:CQ==:\n", []string{"000302", "09"}},
		"ends with MC, log ends":   {"MC:AAMC:", []string{"000302"}},
		"ends with MC, text after": {"MC:AAMC: text\nMC:AAMC:text\nMC:AAMC:\x1b[0m", []string{"000302", "000302", "000302"}},
		"ends with MC, no base64":  {"MC:AAMC:text and:\nMC:AAMC:tex:\nMC:AAMC:\\n", []string{"000302", "000302", "000302"}},
		"ends with MC, a chunk":    {"MC:AAMC:MC:CQ==:MC:AAMC:xMC:CQ==:", []string{"000302", "09", "000302", "09"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, decode(t, strings.NewReader(c.log)))
			assert.Equal(t, c.want, decode(t, iotest.OneByteReader(strings.NewReader(c.log))), "byte by byte")
		})
	}
}

// Whatever byte takes the place of the first character, the chunk is not lost silently.
func TestDecode_DamagedFirstCharacter(t *testing.T) {
	for c := range 256 {
		b := byte(c)
		if strings.ContainsRune(`+/=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789`, rune(b)) {
			continue
		}
		for _, rest := range []string{"QIDBAUG:\n", "QID:\n"} {
			found := decode(t, bytes.NewReader(append([]byte{'M', 'C', ':', b}, rest+"MC:CQ==:"...)))
			require.Len(t, found, 2, "%q", b)
			assert.Contains(t, found[0], "1: ")
			assert.Equal(t, "09", found[1])
		}
	}
}

func TestDecode_Hex(t *testing.T) {
	const odd, oddHeld = "encoding/hex: odd length hex string", "080b0c0d0"
	for name, c := range map[string]struct {
		log  string
		want []string
	}{
		"alone":             {"080b0c0d", []string{"080b0c0d"}},
		"each first byte":   {"000b0c0d\n080b0c0d\n400b0c0d\n480b0c0d\n800b0c0d\nc00b0c0d\nC00B0C0D\n", []string{"000b0c0d", "080b0c0d", "400b0c0d", "480b0c0d", "800b0c0d", "c00b0c0d", "c00b0c0d"}},
		"both cases":        {"080B0c0D0e\nMC:CQ==:\r\n080B0C0D\r\n", []string{"080b0c0d0e", "09", "080b0c0d"}},
		"line end is \\r":   {"080b0c0d\r00020304\r", []string{"080b0c0d", "00020304"}},
		"blanks":            {"  080b0c0d \t\n", []string{"080b0c0d"}},
		"colors":            {"\x1b[0;37m080b0c0d\x1b[0m\n\x1b[2K\r\x1b700020304\x1b8\n", []string{"080b0c0d", "00020304"}},
		"escape cut off":    {"x\x1b[\n00020304\n\x1b\n08060708\n", []string{"00020304", "08060708"}},
		"two words":         {"080b0c0d 080b0c0d\n", nil},
		"text":              {"feedbacks decadence 12345678 is prose\nfeedface\n", nil},
		"too short":         {"080b0c\n080b0cz\n", nil},
		"text glued":        {"x=080b0c0d080b0c0d\n080b0c0d080b0c0d.\n", nil},
		"MC: in the line":   {"080b0c0d080b0c0dMC:\n", []string{cutLine}},
		"damaged":           {"080b0czd0e0f0001\n", []string{"1: encoding/hex: invalid byte: U+007A 'z'"}},
		"first damaged":     {"!80b0c0d\n", []string{"1: encoding/hex: invalid byte: U+0021 '!'"}},
		"second damaged":    {"0z0b0c0d\nz10b0c0d\n", []string{"1: encoding/hex: invalid byte: U+007A 'z'"}},
		"last damaged":      {"080b0c0?\n", []string{"1: encoding/hex: invalid byte: U+003F '?'"}},
		"damaged to NUL":    {"080b\x000c0d0e0f0\n", []string{"1: encoding/hex: invalid byte: U+0000"}},
		"damaged to colon":  {"080b:c0d\n", []string{"1: encoding/hex: invalid byte: U+003A ':'"}},
		"two damaged in 16": {"080b0czzze0f0001\n080b0czz0e0f0001\n", []string{"2: encoding/hex: invalid byte: U+007A 'z'"}},
		"a UUID":            {"123e4567-e89b-12d3-a456-426614174000\n", nil},
		"an address":        {"20000000:deadbeef\n", nil},
		"a time":            {"12:34:56\n2026-02-23T10:00:00Z\n12345678,\n", nil},

		"an IMEI":             {"350000000000006\n860000000000000\n", nil},
		"an IMSI":             {"262010000000000\n001010123456789\n", nil},
		"a MAC":               {"AC233F00AABB\nfc:23:3f:00:aa:bb\n", nil},
		"a date":              {"20261130\n20261130145449\n", nil},
		"a commit":            {"358c6d1b2c9f6a0e4d5c7b8a99887766554433ff\n", nil},
		"an odd line, text":   {"text\n" + oddHeld + "\ntext\n080b0c0d\n", []string{"080b0c0d"}},
		"odd, alone":          {oddHeld, nil},
		"odd after a chunk":   {"080b0c0d\n\r\n" + oddHeld + "\n", []string{"080b0c0d", "3: " + odd}},
		"odd before a chunk":  {oddHeld + "\n\n080b0c0d", []string{"1: " + odd, "080b0c0d"}},
		"odd, between":        {"080b0c0d\n" + oddHeld + "\n080b0c0d\n", []string{"080b0c0d", "2: " + odd, "080b0c0d"}},
		"odd, beside base64":  {"MC:CQ==:\n" + oddHeld + "\nMC:CQ==:\n", []string{"09", "09"}},
		"odd lines":           {oddHeld + "\n" + oddHeld + "\n080b0c0d", []string{"2: " + odd, "080b0c0d"}},
		"odd, other start":    {"080b0c0d\n1a0b0c0d0\n080b0c0d", []string{"080b0c0d", "080b0c0d"}},
		"odd, then damaged":   {oddHeld + "\n080b0czd0e0f0001\n" + oddHeld, []string{"2: encoding/hex: invalid byte: U+007A 'z'"}},
		"odd and damaged":     {"080b0c0d\n080b0czd0e0f00010\n", []string{"080b0c0d", "2: encoding/hex: invalid byte: U+007A 'z'"}},
		"odd before MC: only": {oddHeld + "\nMC:A\n080b0c0d", []string{"2: cut off at the end of the line", "080b0c0d"}},

		"spaces":                {"08 0b 0c 0D\n\t08  0b\t0c 0d 0e \r\n", []string{"080b0c0d", "080b0c0d0e"}},
		"spaces and colors":     {"\x1b[32m08 0b \x1b[0m0c 0d\n", []string{"080b0c0d"}},
		"spaces, other start":   {"0a 0b 0c 0d\n", nil},
		"spaces, too few":       {"08 0b 0c\n", nil},
		"spaces, words":         {"08 0b 0c 0d text\n08:00 0b 0c 0d\nI am an ox so be it\n", nil},
		"groups of four":        {"080b 0c0d 0e0f\n", nil},
		"a digit is missing":    {"080b0c0d\n08 01 02 03 04 5 06 07 08\n", []string{"080b0c0d", "2: " + odd}},
		"a space is missing":    {"08 01 0203 04 05 06 07 08 09\n080b0c0d\n", []string{"1: uneven groups of digits", "080b0c0d"}},
		"both, without a chunk": {"08 01 02 03 04 5 06 07 08\n08 01 0203 04 05 06 07 08 09\n", nil},
		"a letter between":      {"080b0c0d\n08 01 02 03 04 z5 06 07\n", []string{"080b0c0d", "2: encoding/hex: invalid byte: U+007A 'z'"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, decode(t, strings.NewReader(c.log)))
			assert.Equal(t, c.want, decode(t, iotest.OneByteReader(strings.NewReader(c.log))), "byte by byte")
		})
	}
}

// inUTF16 returns a text in UTF-16 with a byte order mark.
func inUTF16(order binary.AppendByteOrder, text string) string {
	b := order.AppendUint16(nil, 0xfeff)
	for _, c := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, c)
	}
	return string(b)
}

func TestDecode_Encodings(t *testing.T) {
	log := "Prüfung 😀\r\nMC:AQID:\r\n080b0c0d\r\nMC:C\r\n08 0b 0c 0d\r\nmore: MC:CQ==:"
	want := []string{"010203", "080b0c0d", "4: cut off at the end of the line", "080b0c0d", "09"}
	for name, encoded := range map[string]string{
		"UTF-8":            log,
		"UTF-8 with BOM":   "\xef\xbb\xbf" + log,
		"UTF-16LE":         inUTF16(binary.LittleEndian, log),
		"UTF-16BE":         inUTF16(binary.BigEndian, log),
		"a byte too many":  inUTF16(binary.LittleEndian, log) + "M",
		"not UTF-16":       "\xff\xfe" + log,
		"not UTF-16 big":   "\xfe\xff" + log,
		"marks of nothing": "\xff" + log,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, want, decode(t, strings.NewReader(encoded)))
			assert.Equal(t, want, decode(t, iotest.OneByteReader(strings.NewReader(encoded))), "byte by byte")
			assert.Equal(t, want, decode(t, iotest.DataErrReader(strings.NewReader(encoded))), "with the end")
		})
	}
	assert.Equal(t, []string{"080b0c0d"}, decode(t, strings.NewReader("\xef\xbb\xbf080b0c0d")), "the mark is not a part of the line")
	assert.Equal(t, []string{"080b0c0d"}, decode(t, strings.NewReader(inUTF16(binary.BigEndian, "080b0c0d"))))
	for _, short := range []string{"\xef", "\xef\xbb", "\xef\xbb\xbf", "\xff", "\xff\xfe", "\xfe\xff\x00"} {
		assert.Empty(t, decode(t, strings.NewReader(short)))
	}
}

// The offset of a damaged chunk is in the bytes of the log.
func TestDecode_EncodingPlace(t *testing.T) {
	log := "äx\nMC:C\n080b0c0d\n080b0c0d0\n"
	for name, c := range map[string]struct {
		log string
		at  []int64
	}{
		"UTF-8":    {"\xef\xbb\xbf" + log, []int64{7, 21}},
		"UTF-16LE": {inUTF16(binary.LittleEndian, log), []int64{8, 36}},
		"UTF-16BE": {inUTF16(binary.BigEndian, log), []int64{8, 36}},
	} {
		var at []int64
		for _, err := range chunkexport.Decode(strings.NewReader(c.log)) {
			var damage *chunkexport.Error
			if errors.As(err, &damage) {
				at = append(at, damage.Offset)
			}
		}
		assert.Equal(t, c.at, at, name)
	}
}

// An error of the reader is returned, also if it comes with the byte order mark.
func TestDecode_EncodingReaderFails(t *testing.T) {
	for _, start := range []string{"", "\xef", "\xef\xbb\xbf", "\xff", "\xff\xfe", "\xff\xfeM", inUTF16(binary.LittleEndian, "MC:AQID:")} {
		read := false
		reader := readFunc(func(p []byte) (int, error) {
			if read {
				return 0, io.EOF // as a connection that forgets its error
			}
			read = true
			return copy(p, start), io.ErrClosedPipe
		})
		var last error
		for _, err := range chunkexport.Decode(reader) {
			last = err
		}
		assert.Equal(t, io.ErrClosedPipe, last, "%q", start)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestDecode_Place(t *testing.T) {
	log := "x\r\n\r\r\ny MC:A\rMC:A\n\n  080b0c0?\r\nMC:AQMC:BAUG: MC: QID:\nMC:"
	type place struct {
		line   int
		offset int
	}
	var got []place
	for _, err := range chunkexport.Decode(strings.NewReader(log)) {
		var damage *chunkexport.Error
		if errors.As(err, &damage) {
			got = append(got, place{damage.Line, int(damage.Offset)})
			require.ErrorContains(t, err, fmt.Sprintf("line %d, byte %d: ", damage.Line, damage.Offset))
		}
	}
	assert.Equal(t, []place{
		{3, strings.Index(log, "MC:A\r")},
		{4, strings.Index(log, "MC:A\n")},
		{6, strings.Index(log, "080b")},
		{7, strings.Index(log, "MC:AQ")},
		{7, strings.Index(log, "MC: Q")},
		{8, len(log) - 3},
	}, got)
}

// The size of a line does not matter, only that of a chunk.
func TestDecode_LongLines(t *testing.T) {
	for name, filler := range map[string]string{"text": "0123 ", "base64": "AAAA", "digits": "0000", "MC:": "MC:", "line ends": "\n"} {
		t.Run(name, func(t *testing.T) {
			long := strings.Repeat(filler, (3<<19)/len(filler))
			chunks, errs := 0, 0
			for _, err := range chunkexport.Decode(strings.NewReader(long + " MC:AQID:" + long + " MC:BAUG:\n")) {
				if err == nil {
					chunks++
				} else {
					errs++
				}
			}
			assert.Equal(t, 2, chunks)
			assert.Equal(t, name == "MC:", errs > 0)
		})
	}
}

func TestDecode_LongChunks(t *testing.T) {
	most := strings.Repeat("A", 1<<20)
	zeros := func(n int) string { return strings.Repeat("00", n) }
	for name, c := range map[string]struct {
		log  string
		want []string
	}{
		"base64":                   {"MC:" + most + ":MC:CQ==:", []string{zeros(3 << 18), "09"}},
		"base64, too long":         {"MC:" + most + "AAAA:MC:CQ==:", []string{tooLong, "09"}},
		"base64, escapes":          {"MC:" + strings.Repeat(`\/`, 1<<20) + ":MC:CQ==:", []string{strings.Repeat("ff", 3<<18), "09"}},
		"no end":                   {"MC:" + most + most + most, []string{tooLong}},
		"no end, then a chunk":     {"MC:" + most + most + "MC:CQ==:", []string{tooLong, "09"}},
		"chunk right at the limit": {"MC:" + most + "MC:CQ==:MC:" + most + "AMC:CQ==:", []string{tooLong, "09", tooLong, "09"}},
		"after a chunk with MC":    {"MC:AAMC:" + most + "A:MC:CQ==:", []string{"000302", "09"}},
		"hex":                      {zeros(1<<19) + "\n", []string{zeros(1 << 19)}},
		"hex, too long":            {zeros(1<<19) + "00\nMC:CQ==:", []string{tooLong, "09"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := decode(t, strings.NewReader(c.log))
			require.Len(t, got, len(c.want))
			for i := range got {
				if c.want[i] != got[i] {
					t.Errorf("chunk %d is wrong: %.60s", i, got[i])
				}
			}
		})
	}
}

// repeat reads a text many times.
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

func TestDecode_BoundedMemory(t *testing.T) {
	for name, text := range map[string]string{
		"chunks":         "x " + strings.Repeat("y", 3000) + " MC:AQID:\n",
		"one chunk":      strings.Repeat("A", 4000),
		"one held chunk": "MC:AAMC:" + strings.Repeat("AAMC", 1000),
		"blank":          "MC: " + strings.Repeat("A", 4000),
		"escape":         `MC:\u002b` + strings.Repeat(`\/`, 1000),
		"terminal":       "\x1b[" + strings.Repeat("0;", 2000),
		"odd":            strings.Repeat("0", 999) + "\n",
		"spaces":         strings.Repeat("00 ", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			var before, during runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			log := &repeat{text: text, left: (8 << 20) / len(text)}
			for range chunkexport.Decode(io.MultiReader(log, strings.NewReader("\n MC:CQ==:"))) {
				if log.left == 0 && during.HeapAlloc == 0 {
					runtime.GC()
					runtime.ReadMemStats(&during)
				}
			}
			assert.NotZero(t, during.HeapAlloc)
			assert.Less(t, int64(during.HeapAlloc)-int64(before.HeapAlloc), int64(5<<20))
		})
	}
}

// What the reader broke off is not returned as if it were complete.
func TestDecode_ReaderFails(t *testing.T) {
	for log, want := range map[string][]string{
		"MC:AQID:\nMC:BA==:": {"010203", "04"},
		"MC:AAMC:":           {"000302"},
		"MC:AAMC:BA==":       {"000302"},
		"MC:AQID:\nMC:BA==":  {"010203"},
		"MC:AQID:\n080b0c0d": {"010203"},
		"MC:AQID:\n080b0c0":  {"010203"},
		"080b0c0d\nMC: BA=":  {"080b0c0d"},
		"MC:A\nMC:":          {cutLine},
		"":                   nil,
	} {
		t.Run(log, func(t *testing.T) {
			var got []string
			var last error
			for chunk, err := range chunkexport.Decode(io.MultiReader(strings.NewReader(log), iotest.ErrReader(io.ErrClosedPipe))) {
				require.NotErrorIs(t, last, io.ErrClosedPipe, "the error of the reader must be last")
				last = err
				var damage *chunkexport.Error
				switch {
				case err == nil:
					got = append(got, hex.EncodeToString(chunk.Data))
				case errors.As(err, &damage):
					got = append(got, fmt.Sprintf("%d: %v", damage.Line, damage.Err))
				}
			}
			assert.Equal(t, io.ErrClosedPipe, last)
			assert.Equal(t, want, got)
		})
	}
}

func TestDecode_StopsWithLoop(t *testing.T) {
	for _, log := range []string{"MC:AQID:MC:BA==:", "MC:AMC:BA==:", "080b0c0d\n080b0c0d", "MC:AAMC:", "MC:", "080b0c0d"} {
		n := 0
		for range chunkexport.Decode(io.MultiReader(strings.NewReader(log), iotest.ErrReader(io.ErrClosedPipe))) {
			n++
			break
		}
		assert.Equal(t, 1, n)
	}
}

// A chunk is returned as soon as it is read, also while the log still grows.
func TestDecode_Live(t *testing.T) {
	r, w := io.Pipe()
	next := make(chan []byte)
	go func() {
		for chunk := range chunkexport.Decode(r) {
			next <- chunk.Data
		}
		close(next)
	}()
	for i := range byte(3) {
		_, err := io.WriteString(w, "\nMC:"+base64.StdEncoding.EncodeToString([]byte{i})+":")
		require.NoError(t, err)
		assert.Equal(t, []byte{i}, <-next)
	}
	require.NoError(t, w.Close())
	_, open := <-next
	assert.False(t, open)
}

// FuzzDecode checks that nothing but a chunk or an error is returned, in order.
func FuzzDecode(f *testing.F) {
	f.Add("a MC:AQID: b\n080b0c0d\n08 0b 0c 0d\n080b0c0d0\nMC:AA=A:MC:")
	f.Add(inUTF16(binary.BigEndian, "a MC:AQID: b\n080b0c0d\nMC:A"))
	f.Add(inUTF16(binary.LittleEndian, "a MC:AQID: b\n080b0c0d\nMC:A"))
	f.Add("\xef\xbb\xbf080b0c0d\n")
	f.Add("MC:AQMC:AQMC:\\u002b:")
	f.Fuzz(func(t *testing.T, log string) {
		found := decode(t, strings.NewReader(log))
		if again := decode(t, iotest.OneByteReader(strings.NewReader(log))); fmt.Sprint(found) != fmt.Sprint(again) {
			t.Errorf("byte by byte, %q became %q", found, again)
		}
	})
}

// FuzzDecode_EveryChunk checks that every chunk is returned, in order, whatever text is
// before, between and after the chunks. Text that has the form of a chunk adds others.
func FuzzDecode_EveryChunk(f *testing.F) {
	f.Add("\x1b[0;37m", []byte{1, 2, 3}, "\x1b[0m\n", []byte{4}, "\x1b[0m")
	f.Add("MC:AQ", []byte{1, 2, 3}, "MC:A", []byte("0000"), "MC:")
	f.Add(`\u001b[0mMC: a`, []byte{1, 2, 3}, `\u00`, []byte{0, 3, 2}, "AAMC")
	f.Add("MC:AA\\/", []byte{0, 3, 2}, "MC:", []byte{0, 3, 2}, "AAAA :")
	f.Add("\xff\xfeM", []byte{0, 3, 2}, "MC", []byte{0, 3, 2}, "\r")
	f.Add("\xff\xfe", []byte{8, 3, 2, 1}, "\r\n", []byte{0xc0, 3, 2, 1}, " 00")
	f.Add("080b0c0d0", []byte{8, 3, 2, 1}, "080b0c0d0", []byte{0x40, 3, 2, 1}, "08 0b")
	f.Fuzz(func(t *testing.T, before string, first []byte, between string, second []byte, after string) {
		if len(first) > 0 && len(second) > 0 {
			requireEveryChunk(t, before, first, between, second, after)
		}
	})
}

// The same with text made of what the scanner looks for.
func TestDecode_EveryChunk(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"M", "C", ":", "MC:", "A", "AA", "AAM", "=", `\/`, `\u00`, `2b`, "\x1b", "[0m", "\n", "\r", " ", "080b0c0d", "08 0b", "\xef\xbb\xbf", "MC"}
	text := func() string {
		var b strings.Builder
		for range random.IntN(7) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return b.String()
	}
	chunks := [][]byte{{0, 3, 2}, {1}, {8, 5, 6, 7}, {0xc0, 0x33, 2, 0, 3, 2}, {0, 0}}
	for range 1000 {
		requireEveryChunk(t, text(), chunks[random.IntN(len(chunks))], text(), chunks[random.IntN(len(chunks))], text())
	}
}

// requireEveryChunk looks for the chunks in each form and encoding.
func requireEveryChunk(t *testing.T, before string, first []byte, between string, second []byte, after string) {
	t.Helper()
	if strings.HasPrefix(before, "\xff\xfe") || strings.HasPrefix(before, "\xfe\xff") {
		before = " " + before // the log would be in another encoding
	}
	a, b := base64.StdEncoding.EncodeToString(first), base64.StdEncoding.EncodeToString(second)
	if afterFirst := between + "MC:" + b + ":" + after; !cutOff(a, afterFirst) && !cutOff(b, after) {
		requireInEncodings(t, before+"MC:"+a+":"+afterFirst, first, second)
	}
	const headers = "\x00\x08\x40\x48\x80\xc0"
	if len(first) < 4 || len(second) < 4 || !strings.Contains(headers, string(first[:1])) || !strings.Contains(headers, string(second[:1])) {
		return
	}
	requireInEncodings(t, before+"\n"+hex.EncodeToString(first)+"\n"+between+"\r"+hex.EncodeToString(second)+"\r"+after, first, second)
	requireInEncodings(t, fmt.Sprintf("%s\n% x\n%s\r% X\r%s", before, first, between, second, after), first, second)
}

func requireInEncodings(t *testing.T, log string, chunks ...[]byte) {
	t.Helper()
	requireInOrder(t, decode(t, strings.NewReader(log)), chunks...)
	requireInOrder(t, decode(t, strings.NewReader("\xef\xbb\xbf"+log)), chunks...)
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		// Its first characters can be outside of ASCII, as far as there are few of them.
		requireInOrder(t, decode(t, strings.NewReader(inUTF16(order, "\n"+log))), chunks...)
	}
}

// cutOff reports whether text makes a chunk right before it look as if it were cut off: the
// chunk ends with MC, and the text is the content of a chunk.
func cutOff(chunk, text string) bool {
	if !strings.HasSuffix(chunk, "MC") {
		return false
	}
	text = strings.NewReplacer(`\/`, "/", `\u002b`, "+", `\u002B`, "+", `\u002f`, "/", `\u002F`, "/", `\u003d`, "=", `\u003D`, "=").Replace(text)
	content, _, found := strings.Cut(text, ":")
	decoded, err := base64.StdEncoding.Strict().DecodeString(content)
	return found && err == nil && len(decoded) > 0
}

func requireInOrder(t *testing.T, found []string, chunks ...[]byte) {
	t.Helper()
	for _, f := range found {
		if len(chunks) > 0 && f == hex.EncodeToString(chunks[0]) {
			chunks = chunks[1:]
		}
	}
	require.Empty(t, chunks, "missing in %q", found)
}
