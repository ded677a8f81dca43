package chunkexport_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

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
			require.NotEmpty(t, chunk)
			found = append(found, hex.EncodeToString(chunk))
			continue
		}
		require.Nil(t, chunk)
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
	for name, c := range map[string]struct {
		log  string
		want []string
	}{
		"alone":             {"0a0b0c0d", []string{"0a0b0c0d"}},
		"both cases":        {"0a0B0c0D0e\nMC:CQ==:\r\n0A0B0C0D\r\n", []string{"0a0b0c0d0e", "09", "0a0b0c0d"}},
		"line end is \\r":   {"0a0b0c0d\r01020304\r", []string{"0a0b0c0d", "01020304"}},
		"blanks":            {"  0a0b0c0d \t\n", []string{"0a0b0c0d"}},
		"colors":            {"\x1b[0;37m0a0b0c0d\x1b[0m\n\x1b[2K\r\x1b701020304\x1b8\n", []string{"0a0b0c0d", "01020304"}},
		"escape cut off":    {"x\x1b[\n01020304\n\x1b\n05060708\n", []string{"01020304", "05060708"}},
		"two words":         {"0a0b0c0d 0a0b0c0d\n", nil},
		"text":              {"feedbacks decadence 12345678 is prose\nfeedface\n", nil},
		"too short":         {"0a0b0c\n0a0b0cz\n", nil},
		"text glued":        {"x=0a0b0c0d0a0b0c0d\n0a0b0c0d0a0b0c0d.\n", nil},
		"MC: in the line":   {"0a0b0c0d0a0b0c0dMC:\n", []string{cutLine}},
		"odd":               {"0a0b0c0d0\n", []string{"1: encoding/hex: odd length hex string"}},
		"damaged":           {"0a0b0czd0e0f0001\n", []string{"1: encoding/hex: invalid byte: U+007A 'z'"}},
		"first damaged":     {"!a0b0c0d\n", []string{"1: encoding/hex: invalid byte: U+0021 '!'"}},
		"last damaged":      {"0a0b0c0?\n", []string{"1: encoding/hex: invalid byte: U+003F '?'"}},
		"damaged to NUL":    {"0a0b\x000c0d0e\n", []string{"1: encoding/hex: odd length hex string"}},
		"damaged to colon":  {"0a0b:c0d\n", []string{"1: encoding/hex: invalid byte: U+003A ':'"}},
		"two damaged in 16": {"0a0b0czzze0f0001\n0a0b0czz0e0f0001\n", []string{"2: encoding/hex: invalid byte: U+007A 'z'"}},
		"a UUID":            {"123e4567-e89b-12d3-a456-426614174000\n", nil},
		"an address":        {"20000000:deadbeef\n", nil},
		"a time":            {"12:34:56\n2026-02-23T10:00:00Z\n12345678,\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := decode(t, strings.NewReader(c.log))
			if name == "damaged to NUL" {
				require.Len(t, got, 1)
				return
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want, decode(t, iotest.OneByteReader(strings.NewReader(c.log))), "byte by byte")
		})
	}
}

func TestDecode_Place(t *testing.T) {
	log := "x\r\n\r\r\ny MC:A\rMC:A\n\n  0a0b0c0d0\r\nMC:AQMC:BAUG: MC: QID:\nMC:"
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
		{6, strings.Index(log, "0a0b")},
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
		"MC:AQID:\n0a0b0c0d": {"010203"},
		"MC:AQID:\n0a0b0c0":  {"010203"},
		"0a0b0c0d\nMC: BA=":  {"0a0b0c0d"},
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
					got = append(got, hex.EncodeToString(chunk))
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
	for _, log := range []string{"MC:AQID:MC:BA==:", "MC:AMC:BA==:", "0a0b0c0d\n0a0b0c0d", "MC:AAMC:", "MC:", "0a0b0c0d"} {
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
			next <- chunk
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
	f.Add("a MC:AQID: b\n0a0b0c0d\nMC:AA=A:MC:")
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
	f.Fuzz(func(t *testing.T, before string, first []byte, between string, second []byte, after string) {
		if len(first) > 0 && len(second) > 0 {
			requireEveryChunk(t, before, first, between, second, after)
		}
	})
}

// The same with text made of what the scanner looks for.
func TestDecode_EveryChunk(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"M", "C", ":", "MC:", "A", "AA", "AAM", "=", `\/`, `\u00`, `2b`, "\x1b", "[0m", "\n", "\r", " ", "0a0b0c0d", "MC"}
	text := func() string {
		var b strings.Builder
		for range random.IntN(7) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return b.String()
	}
	chunks := [][]byte{{0, 3, 2}, {1}, {4, 5, 6, 7}, {0xaa, 0x33, 2, 0, 3, 2}, {0, 0}}
	for range 4000 {
		requireEveryChunk(t, text(), chunks[random.IntN(len(chunks))], text(), chunks[random.IntN(len(chunks))], text())
	}
}

func requireEveryChunk(t *testing.T, before string, first []byte, between string, second []byte, after string) {
	t.Helper()
	a, b := base64.StdEncoding.EncodeToString(first), base64.StdEncoding.EncodeToString(second)
	afterFirst, afterSecond := between+"MC:"+b+":"+after, after
	if cutOff(a, afterFirst) || cutOff(b, afterSecond) {
		return
	}
	found := decode(t, strings.NewReader(before+"MC:"+a+":"+afterFirst))
	requireInOrder(t, found, first, second)
	if len(first) < 4 || len(second) < 4 || !strings.ContainsAny(hex.EncodeToString(first), "0123456789") || !strings.ContainsAny(hex.EncodeToString(second), "0123456789") {
		return
	}
	found = decode(t, strings.NewReader(before+"\n"+hex.EncodeToString(first)+"\n"+between+"\r"+hex.EncodeToString(second)+"\r"+after))
	requireInOrder(t, found, first, second)
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
