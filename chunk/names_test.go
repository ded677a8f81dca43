package chunk_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

// firmware contains the enumerators of a firmware with three sessions, whose metrics are defined
// alternately. The number of one metric needs two bytes.
var enumerators = []enumerator{
	{"kMfltMetricsSessionKey_ota", 0},
	{"kMfltMetricsSessionKey_ota__slow", 1},
	{"kMfltMetricsSessionKey_heartbeat", 2},
	{"kMfltMetricsIndex_heartbeat__uptime_s", 0},
	{"kMfltMetricsIndex_ota__bytes", 1},
	{"kMfltMetricsIndex_heartbeat___private", 2},
	{"kMfltMetricsIndex_ota__slow__bytes", 3},
	{"kMfltMetricsIndex_heartbeat__battery", 200},
	{"kMfltTraceReasonUser_Unknown", 0},
	{"kMfltTraceReasonUser_flash_error", 2},
	{"kOther", 3},
	{"kMfltTraceReasonUser_", 9},
}

var firmwareNames = &chunk.Names{
	Sessions:    map[int]string{0: "ota", 1: "ota__slow", 2: "heartbeat"},
	Metrics:     map[string][]string{"heartbeat": {"uptime_s", "_private", "battery"}, "ota": {"bytes"}, "ota__slow": {"bytes"}},
	UserReasons: map[int]string{0: "Unknown", 2: "flash_error"},
}

func TestReadNames_Forms(t *testing.T) {
	orders := []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}
	var files []debugFile
	for version := uint16(2); version <= 5; version++ {
		names := []uint64{formString, formStrp}
		values := []uint64{formData1, formData2, formData4, formData8, formSdata, formUdata, formIndirect}
		if version == 5 {
			names = append(names, formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formLineStrp)
			values = append(values, formImplicitConst)
		}
		for _, nameForm := range names {
			for i, valueForm := range values {
				files = append(files, debugFile{
					version: version, wide: i%2 == 1 && version > 2, order: orders[i%2], nameForm: nameForm, valueForm: valueForm,
					typeUnit: i%3 == 2 && version > 3, compressed: i%4 == 3, enumerators: enumerators,
				})
			}
		}
	}
	require.Len(t, files, 3*2*7+8*8)
	for _, file := range files {
		what := fmt.Sprintf("version %d, wide %t, %s, forms %x and %x, type unit %t, compressed %t",
			file.version, file.wide, file.order, file.nameForm, file.valueForm, file.typeUnit, file.compressed)
		names, err := chunk.ReadNames(bytes.NewReader(file.bytes()))
		require.NoError(t, err, what)
		assert.Equal(t, firmwareNames, names, what)

		if !file.typeUnit { // the file is right, because another reader finds the same
			s := file.sections()
			standard, ok := standardEnumerators(s[".debug_info"], s[".debug_abbrev"], s[".debug_str"], s[".debug_line_str"], s[".debug_str_offsets"])
			assert.True(t, ok, what)
			assert.Equal(t, enumerators, standard, what)
		}
	}
}

// namesOf reads the names of a file with enumerators.
func namesOf(enumerators ...enumerator) (*chunk.Names, error) {
	file := debugFile{version: 4, order: binary.LittleEndian, nameForm: formString, valueForm: formSdata, enumerators: enumerators}
	return chunk.ReadNames(bytes.NewReader(file.bytes()))
}

func TestReadNames_Enumerators(t *testing.T) {
	names, err := namesOf(enumerator{"kMfltMetricsIndex_heartbeat__a", 0}, enumerator{"kMfltMetricsIndex_boot__b__c", 1}, enumerator{"kMfltMetricsIndex_x", 2})
	require.NoError(t, err)
	assert.Equal(t, &chunk.Names{
		Sessions: map[int]string{0: "heartbeat"}, Metrics: map[string][]string{"heartbeat": {"a"}, "boot": {"b__c"}}, UserReasons: map[int]string{},
	}, names)

	names, err = namesOf(enumerator{"kMfltMetricsSessionKey_ota", 0}, enumerator{"kMfltMetricsSessionKey_boot", 4})
	require.NoError(t, err)
	assert.Equal(t, map[int]string{0: "ota", 4: "boot", 5: "heartbeat"}, names.Sessions, "the heartbeat is last")

	again := enumerator{"kMfltTraceReasonUser_a", 1}
	names, err = namesOf(again, again, enumerator{"kMfltTraceReasonUser_negative", -1}, enumerator{"kMfltTraceReasonUser_large", math.MaxInt32 + 1})
	require.NoError(t, err)
	assert.Equal(t, map[int]string{1: "a"}, names.UserReasons)

	for problem, enumerators := range map[string][]enumerator{
		`"kMfltTraceReasonUser_\x1b[2J" is both 1 and 2`:           {{"kMfltTraceReasonUser_\x1b[2J", 1}, {"kMfltTraceReasonUser_\x1b[2J", 2}},
		"kMfltTraceReasonUser_a is both 1 and 2":                   {again, {again.name, 2}},
		"a and b have the same number 1":                           {again, {"kMfltTraceReasonUser_b", 1}},
		"two metrics of session heartbeat have the same number 3":  {{"kMfltMetricsIndex_heartbeat__a", 3}, {"kMfltMetricsIndex_heartbeat__b", 3}},
		"heartbeat and ota have the same number 0":                 {{"kMfltMetricsSessionKey_heartbeat", 0}, {"kMfltMetricsSessionKey_ota", 0}},
		"chunk: no names of Memfault in the debug information":     {{"kOther", 1}},
		"chunk: no names of Memfault in the debug information ":    nil,
		"chunk: no names of Memfault in the debug information  ":   {{"kMfltTraceReasonUser_", 1}},
		"chunk: no names of Memfault in the debug information   ":  {{strings.Repeat("k", 5000), 1}},
		"chunk: no names of Memfault in the debug information    ": {{"kMfltTraceReasonUser_a", -1}},
	} {
		names, err := namesOf(enumerators...)
		assert.Nil(t, names)
		require.ErrorContains(t, err, strings.TrimSpace(problem))
	}
}

// failingReader fails from an offset on.
type failingReader struct {
	content []byte
	from    int64
}

func (f failingReader) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > f.from {
		return 0, assert.AnError
	}
	return bytes.NewReader(f.content).ReadAt(p, offset)
}

func TestReadNames_Files(t *testing.T) {
	good := debugFile{version: 5, order: binary.LittleEndian, nameForm: formStrx1, valueForm: formData1, enumerators: enumerators}
	changed := func(section string, change func([]byte) []byte) []byte {
		sections := good.sections()
		sections[section] = change(sections[section])
		return elfFile(good.order, false, sections)
	}
	object := good.bytes()
	object[16] = byte(elf.ET_REL)
	for _, test := range []struct {
		name    string
		file    []byte
		problem string
	}{
		{"empty", nil, "invalid ELF file"},
		{"text", []byte("#!/bin/sh\n"), "invalid ELF file"},
		{"object file", object, "not linked"},
		{"no sections", elffile.File{}.Bytes(), "no names"},
		{"no content", elffile.File{Sections: []elffile.Section{{Name: ".debug_info", Type: elf.SHT_NOBITS, Size: 100}}}.Bytes(), "no names"},
		{"section names cut off", good.bytes()[:600], "invalid ELF file"},
		{"section cut off", elffile.File{Sections: []elffile.Section{{Name: ".debug_info", Type: elf.SHT_PROGBITS, Size: 1 << 20}}}.Bytes(), "section .debug_info: unexpected EOF"},
		{"unit that is cut off", changed(".debug_info", func(b []byte) []byte { return b[:len(b)-1] }), "corrupt"},
		{"unit without version", changed(".debug_info", func([]byte) []byte { return []byte{1, 0, 0, 0, 5} }), "corrupt"},
		{"unknown version", changed(".debug_info", func(b []byte) []byte { b[4] = 6; return b }), "unknown version 6"},
		{"abbreviations elsewhere", changed(".debug_info", func(b []byte) []byte { b[9] = 0xff; return b }), "corrupt"},
		{"unknown code", changed(".debug_info", func(b []byte) []byte { b[12] = 9; return b }), "corrupt"},
		{"abbreviations cut off", changed(".debug_abbrev", func(b []byte) []byte { return b[:len(b)-2] }), "corrupt"},
		{"unknown form", changed(".debug_abbrev", func(b []byte) []byte { b[7] = 0x7e; return b }), "corrupt"},
		{"no strings", changed(".debug_str", func([]byte) []byte { return []byte{} }), "no names"},
		{"no offsets of strings", changed(".debug_str_offsets", func([]byte) []byte { return []byte{} }), "no names"},
		{"string without end", changed(".debug_str", func([]byte) []byte { return []byte("kMfltTraceReasonUser_a") }), "no names"},
		{"padding", changed(".debug_info", func(b []byte) []byte { return append(make([]byte, 8), b...) }), ""},
		{"table that is too large", changed(".debug_abbrev", func([]byte) []byte { return make([]byte, 8<<20+1) }), "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			names, err := chunk.ReadNames(bytes.NewReader(test.file))
			if test.problem == "" {
				require.NoError(t, err)
				assert.Equal(t, firmwareNames, names)
				return
			}
			require.ErrorContains(t, err, test.problem)
			assert.Nil(t, names)
			assert.Equal(t, test.problem == "no names", errors.Is(err, chunk.ErrNoNames))
		})
	}
	for from := range len(good.bytes()) {
		_, err := chunk.ReadNames(failingReader{good.bytes(), int64(from)})
		if err != nil {
			require.ErrorIs(t, err, assert.AnError, "from byte %d", from)
		}
	}
}

// TestReadNames_SectionSizes checks that a small file cannot take much memory.
func TestReadNames_SectionSizes(t *testing.T) {
	for _, size := range []uint64{1 << 40, math.MaxUint64} {
		compressed := binary.LittleEndian.AppendUint32(nil, uint32(elf.COMPRESS_ZLIB))
		compressed = binary.LittleEndian.AppendUint64(append(compressed, 0, 0, 0, 0), size)
		compressed = append(compressed, make([]byte, 16)...)
		for _, section := range []elffile.Section{
			{Name: ".debug_str", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED, Content: compressed},
			{Name: ".debug_str", Type: elf.SHT_PROGBITS, Size: size >> 1},
		} {
			file := elffile.File{Sections: []elffile.Section{section}}
			_, err := chunk.ReadNames(bytes.NewReader(file.Bytes()))
			require.ErrorContains(t, err, "too large")
		}
	}
}

// TestReadNames_SectionHeaders checks that many section headers, which can have parts of the same
// long name, cannot take much memory.
func TestReadNames_SectionHeaders(t *testing.T) {
	many := elffile.File{Sections: make([]elffile.Section, 4096)}
	long := elffile.File{Sections: []elffile.Section{{Name: strings.Repeat("n", 64<<10), Type: elf.SHT_PROGBITS}}}
	good := debugFile{version: 4, order: binary.LittleEndian, nameForm: formStrp, valueForm: formData1, enumerators: enumerators}.bytes()
	unnumbered, compressed := bytes.Clone(good), bytes.Clone(good)
	clear(unnumbered[0x3C:0x3E])
	names := 64 + 64*int(good[0x3E])
	compressed[names+9] |= 0x08 // the flag 0x800
	for name, file := range map[string][]byte{
		"too many sections":                        many.Bytes(),
		"too many sections ":                       unnumbered,
		"the names of the sections are too large":  long.Bytes(),
		"the names of the sections are too large ": compressed,
	} {
		_, err := chunk.ReadNames(bytes.NewReader(file))
		require.ErrorContains(t, err, "invalid ELF file: "+strings.TrimSpace(name))
	}
	many.Sections = many.Sections[:4000]
	_, err := chunk.ReadNames(bytes.NewReader(many.Bytes()))
	require.ErrorIs(t, err, chunk.ErrNoNames)
}

// TestReadNames_OverlappingAbbreviations checks that units cannot refer to many tables that are
// parts of each other, which would need time and memory that grow with the square of the size.
func TestReadNames_OverlappingAbbreviations(t *testing.T) {
	var abbrev, info []byte
	for code := range uint64(2000) {
		abbrev = append(append(abbrev, uleb(code+1)...), 0x34, 0, 0, 0)
	}
	abbrev = append(abbrev, 0)
	at := 0
	for code := range uint64(2000) {
		unit := join([]byte{4, 0}, binary.LittleEndian.AppendUint32(nil, uint32(at)), []byte{8})
		info = append(binary.LittleEndian.AppendUint32(info, uint32(len(unit))), unit...)
		at += len(uleb(code+1)) + 4
	}
	file := elfFile(binary.LittleEndian, false, map[string][]byte{".debug_info": info, ".debug_abbrev": abbrev})
	_, err := chunk.ReadNames(bytes.NewReader(file))
	require.ErrorContains(t, err, "corrupt")
}

func TestNames_Apply(t *testing.T) {
	events := func(t *testing.T) []chunk.Event {
		events, err := eventsOf([]any{
			pairs{2, 1, 4, pairs{1, []any{5, nil, 87}, 2, 2}},
			pairs{2, 1, 4, pairs{1, []any{1000}, 2, 0}},
			pairs{2, 2, 4, pairs{6, 2}},
			pairs{2, 2, 4, pairs{6, 7}},
			pairs{2, 2, 4, pairs{1, 7, 5, 0}},
			pairs{2, 1, 4, pairs{1, pairs{"old", 1}}},
			pairs{2, 6, 4, []any{}},
		})
		require.NoError(t, err)
		return events
	}
	named := events(t)
	require.NoError(t, firmwareNames.Apply(named))
	var texts []string
	for _, event := range named {
		texts = append(texts, event.String())
	}
	assert.Equal(t, []string{
		"heartbeat uptime_s=5 battery=87", "ota bytes=1000", "trace flash_error", "trace of reason 7", "reboot PowerOnReset",
		"heartbeat old=1", "logs: 0 lines",
	}, texts)

	// Names of another firmware must not be used: each would be at the wrong metric.
	other := events(t)
	err := (&chunk.Names{Sessions: map[int]string{1: "heartbeat", 0: "ota"}, Metrics: map[string][]string{"ota": {"a", "b"}}}).Apply(other)
	require.EqualError(t, err, "chunk: names of event 0: session 2 has no name\nchunk: names of event 1: session ota has 1 metrics, the symbol file defines 2")
	assert.Equal(t, events(t)[:5], other[:5])

	// Without sessions, there is only the heartbeat.
	one, err := eventsOf([]any{pairs{2, 1, 4, pairs{1, []any{5}, 2, 0}}, pairs{2, 1, 4, pairs{1, []any{6}}}})
	require.NoError(t, err)
	require.NoError(t, (&chunk.Names{Metrics: map[string][]string{"heartbeat": {"a"}}}).Apply(one))
	assert.Equal(t, "heartbeat a=5", one[0].String())
	assert.Equal(t, "heartbeat a=6", one[1].String())
}
