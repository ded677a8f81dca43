package memfault_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
	"github.com/memfault-go/memfault/memfaulttest"
)

const goBuildID = "8219de00c0ffee0123456789abcdef0123456789"

// buildELF builds a Linux program with the given build ID.
func buildELF(t testing.TB, id string) []byte {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module sink\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-B 0x"+id, "-o", "sink.elf", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	content, err := os.ReadFile(filepath.Join(dir, "sink.elf"))
	require.NoError(t, err)
	return content
}

// noteELF returns a small ELF file with notes in a section, or in a segment. The first note is
// of another kind, the second is the build ID, if there is one.
func noteELF(order binary.AppendByteOrder, id []byte, asSegment bool, fill int) []byte {
	note := func(kind uint32, name string, content []byte) []byte {
		b := order.AppendUint32(nil, uint32(len(name)+1))
		b = order.AppendUint32(b, uint32(len(content)))
		b = order.AppendUint32(b, kind)
		b = append(b, name...)
		b = append(b, make([]byte, 4-len(name)%4)...)
		return append(append(b, content...), make([]byte, -len(content)&3)...)
	}
	notes := note(1, "GNU", make([]byte, 5))
	if id != nil {
		notes = append(notes, note(3, "GNU", id)...)
	}
	const headerSize, programSize, sectionSize = 64, 56, 64
	header := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1)
	if order.String() == binary.BigEndian.String() {
		header[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	header = append(header, make([]byte, 16-len(header))...)
	b := order.AppendUint16(header, uint16(elf.ET_EXEC))
	b = order.AppendUint16(b, uint16(elf.EM_ARM))
	b = order.AppendUint32(b, 1)
	b = order.AppendUint64(b, 0)
	at := uint64(headerSize)
	segments, sections := uint16(0), uint16(3)
	if asSegment {
		segments, sections = 1, 0
	}
	b = order.AppendUint64(b, uint64(segments)*headerSize)
	b = order.AppendUint64(b, uint64(min(sections, 1))*headerSize)
	b = order.AppendUint32(b, 0)
	for _, n := range []uint16{headerSize, programSize, segments, sectionSize, sections, max(sections, 1) - 1} {
		b = order.AppendUint16(b, n)
	}
	if asSegment {
		at += programSize
		b = order.AppendUint32(b, uint32(elf.PT_NOTE))
		b = order.AppendUint32(b, 0)
		for _, n := range []uint64{at, 0, 0, uint64(len(notes)), uint64(len(notes)), 4} {
			b = order.AppendUint64(b, n)
		}
		return append(append(b, notes...), make([]byte, fill)...)
	}
	names := "\x00.note\x00.names\x00"
	at += 3 * sectionSize
	b = append(b, make([]byte, sectionSize)...)
	for _, s := range []struct {
		name       uint32
		kind       elf.SectionType
		from, size uint64
	}{{1, elf.SHT_NOTE, at, uint64(len(notes))}, {7, elf.SHT_STRTAB, at + uint64(len(notes)), uint64(len(names))}} {
		b = order.AppendUint32(b, s.name)
		b = order.AppendUint32(b, uint32(s.kind))
		for _, n := range []uint64{0, 0, s.from, s.size} {
			b = order.AppendUint64(b, n)
		}
		b = order.AppendUint64(b, 0) // link, info
		b = order.AppendUint64(b, 4)
		b = order.AppendUint64(b, 0)
	}
	return append(append(append(b, notes...), names...), make([]byte, fill)...)
}

func TestSymbols_RealBuild(t *testing.T) {
	content := buildELF(t, goBuildID)
	id, err := memfault.BuildID(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Equal(t, memfault.ELFBuildID{Kind: memfault.BuildIDKindGNU, ID: goBuildID}, id)

	cloud, client := newCloud(t)
	known, err := client.Uploads.SymbolsExist(t.Context(), sink, id.ID)
	require.NoError(t, err)
	assert.False(t, known)
	file := &memfault.File{Name: "sink.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
	result, err := client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{IfMissing: true, WithoutDebugInfo: true})
	require.NoError(t, err)
	assert.Equal(t, &memfault.UploadResult{MD5: md5Of(content), Size: file.Size}, result)
	assert.NotContains(t, cloud.Uploads()[0].Commit, "software_version", "the build ID identifies the version")

	known, err = client.Uploads.SymbolsExist(t.Context(), sink, strings.ToUpper(id.ID))
	require.NoError(t, err)
	assert.True(t, known)
	puts := len(cloud.Requests(putFile))
	result, err = client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{IfMissing: true, WithoutDebugInfo: true})
	require.NoError(t, err)
	assert.Equal(t, &memfault.UploadResult{AlreadyUploaded: true, Size: file.Size}, result)
	assert.Len(t, cloud.Requests(putFile), puts, "no file must be sent")
}

func TestSymbolsIfMissing_LookupForbidden(t *testing.T) {
	cloud, client := newCloud(t)
	const head = "symbols.exists_by_gnu_build_id"
	content := noteELF(binary.LittleEndian, []byte{1, 2, 3}, false, 0)
	file := &memfault.File{Name: "a.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}

	cloud.Fail(memfaulttest.Fault{Operation: head, Status: http.StatusInternalServerError, Times: 1})
	_, err := client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{IfMissing: true, WithoutDebugInfo: true})
	requireError(t, err, http.StatusInternalServerError)
	_, err = client.Uploads.SymbolsExist(t.Context(), sink, "")
	require.Error(t, err)

	cloud.Fail(memfaulttest.Fault{Operation: head, Status: http.StatusForbidden})
	_, err = client.Uploads.SymbolsExist(t.Context(), sink, "01")
	require.ErrorIs(t, err, memfault.ErrForbidden)
	result, err := client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{IfMissing: true, WithoutDebugInfo: true})
	require.NoError(t, err)
	assert.False(t, result.AlreadyUploaded)

	mapping, _ := fileOf("mapping.txt", "com.acme.App -> a:", 100)
	asked := len(cloud.Requests(head))
	_, err = client.Uploads.Symbols(t.Context(), sink, mapping, memfault.SymbolsOptions{SoftwareType: "com.acme", SoftwareVersion: "1:1", IfMissing: true})
	require.NoError(t, err)
	assert.Len(t, cloud.Requests(head), asked, "a file without a build ID must not be looked up")

	_, err = client.WithAuth(memfault.ProjectKey(projectKey)).Uploads.Symbols(t.Context(), memfault.ProjectRef{}, file, memfault.SymbolsOptions{IfMissing: true, WithoutDebugInfo: true})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
}

// symbolsTree writes files to a new directory and returns it.
func symbolsTree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	return dir
}

func TestSymbolsDir_UploadsLargestOfEachBuildID(t *testing.T) {
	cloud, client := newCloud(t)
	little := binary.LittleEndian
	dir := symbolsTree(t, map[string][]byte{
		"bin/known":         noteELF(little, []byte{1}, false, 0),
		"bin/stripped":      noteELF(little, []byte{2}, true, 0),
		"bin/with-symbols":  noteELF(little, []byte{2}, false, 500),
		"bin/without-id":    noteELF(little, nil, false, 0),
		"lib/too-large":     noteELF(little, []byte{3}, false, 5000),
		"lib/too-large-too": noteELF(little, []byte{3}, false, 10),
		"lib/z":             noteELF(little, []byte{4}, false, 0),
		"notes.txt":         []byte("no ELF"),
		"broken":            []byte("\x7fELF and no more"),
		"empty":             nil,
	})
	elsewhere := symbolsTree(t, map[string][]byte{"a/b": noteELF(little, []byte{9}, false, 0)})
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "link-to-dir")))
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "a/b"), filepath.Join(dir, "link")))
	cloud.AddBuildID("01")
	cloud.SetMaxUpload(2000)

	var response memfault.Response
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{WithoutDebugInfo: true}, memfault.WithResponse(&response))
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	require.ErrorContains(t, err, "3 of 7 files")
	require.ErrorContains(t, err, filepath.Join(dir, "broken"))
	require.ErrorIs(t, results[3].Err, memfault.ErrInvalidArgument, "broken")
	assert.Zero(t, response)
	type outcome struct {
		path, id     string
		known, fails bool
	}
	var got []outcome
	for _, r := range results {
		name, err := filepath.Rel(dir, r.Path)
		require.NoError(t, err)
		assert.Equal(t, r.Err == nil, r.Result != nil)
		got = append(got, outcome{filepath.ToSlash(name), r.BuildID, r.Result != nil && r.Result.AlreadyUploaded, r.Err != nil})
	}
	assert.Equal(t, []outcome{
		{"bin/known", "01", true, false},
		{"bin/stripped", "02", true, false},
		{"bin/with-symbols", "02", false, false},
		{"broken", "", false, true},
		{"lib/too-large", "03", false, true},
		{"lib/too-large-too", "03", false, true},
		{"lib/z", "04", false, false},
	}, got)
	assert.Len(t, cloud.Uploads(), 2)

	require.NoError(t, os.Remove(filepath.Join(dir, "broken")))
	cloud.SetMaxUpload(0)
	results, err = client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{Concurrency: 1, WithoutDebugInfo: true})
	require.NoError(t, err, "it must be safe to call it again")
	assert.Len(t, results, 6)
	assert.Len(t, cloud.Uploads(), 3)
}

// Builds often create a link to their latest output.
func TestSymbolsDir_DirectoryIsLink(t *testing.T) {
	cloud, client := newCloud(t)
	dir := symbolsTree(t, map[string][]byte{"bin/a": noteELF(binary.LittleEndian, []byte{1}, false, 0)})
	latest := filepath.Join(t.TempDir(), "latest")
	require.NoError(t, os.Symlink(dir, latest))
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, latest, memfault.SymbolsDirOptions{WithoutDebugInfo: true})
	require.NoError(t, err)
	require.Len(t, results, 1)
	assert.Equal(t, filepath.Join(latest, "bin/a"), results[0].Path)
	assert.Len(t, cloud.Uploads(), 1)
}

func TestSymbolsDir_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	dir := symbolsTree(t, map[string][]byte{"a": noteELF(binary.LittleEndian, []byte{1}, false, 0)})
	for _, c := range []struct {
		ctx     context.Context
		dir     string
		options memfault.SymbolsDirOptions
	}{
		{nil, dir, memfault.SymbolsDirOptions{WithoutDebugInfo: true}},
		{t.Context(), "", memfault.SymbolsDirOptions{WithoutDebugInfo: true}},
		{t.Context(), dir, memfault.SymbolsDirOptions{Concurrency: -1}},
		{t.Context(), filepath.Join(dir, "none"), memfault.SymbolsDirOptions{WithoutDebugInfo: true}},
		{t.Context(), filepath.Join(dir, "a"), memfault.SymbolsDirOptions{WithoutDebugInfo: true}},
	} {
		_, err := client.Uploads.SymbolsDir(c.ctx, sink, c.dir, c.options)
		require.Error(t, err)
	}
	_, err := client.WithAuth(memfault.ProjectKey(projectKey)).Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{WithoutDebugInfo: true})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	gone := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	_, err = client.Uploads.SymbolsDir(ctx, sink, dir, memfault.SymbolsDirOptions{WithoutDebugInfo: true})
	require.ErrorIs(t, err, gone)
	require.NotErrorIs(t, err, memfault.ErrInvalidArgument)
	assert.Empty(t, cloud.Requests(""))
}

func TestSymbolsDir_ContextCanceled(t *testing.T) {
	gone := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(t.Context())
	var cloud *memfaulttest.Server
	cloud, client := newCloud(t, memfault.WithObserver(func(_ context.Context, a memfault.Attempt) {
		if a.Operation == "upload.prepare_basic_auth" && len(cloud.Uploads()) == 1 { // the second file is being uploaded
			cancel(gone)
		}
	}))
	little := binary.LittleEndian
	dir := symbolsTree(t, map[string][]byte{"a": noteELF(little, []byte{1}, false, 0), "b": noteELF(little, []byte{2}, false, 0), "c": noteELF(little, []byte{3}, false, 0)})
	results, err := client.Uploads.SymbolsDir(ctx, sink, dir, memfault.SymbolsDirOptions{Concurrency: 1, WithoutDebugInfo: true}, memfault.WithProgress(func(int64, int64) {
		t.Error("unexpected progress")
	}))
	require.ErrorIs(t, err, gone)
	require.Len(t, results, 3, "each file must have a result")
	assert.NotNil(t, results[0].Result)
	for _, r := range results[1:] {
		require.ErrorIs(t, r.Err, gone)
		require.ErrorIs(t, r.Err, context.Canceled)
	}
	assert.Len(t, cloud.Uploads(), 1)
	assert.Len(t, cloud.Requests("symbols.exists_by_gnu_build_id"), 2)
}

// At most Concurrency uploads run at the same time, and no fewer if there are enough files.
func TestSymbolsDir_Concurrency(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	files := map[string][]byte{}
	for i := range 30 {
		files[string(rune('a'+i))] = noteELF(binary.LittleEndian, []byte{byte(i)}, false, 0)
	}
	dir := symbolsTree(t, files)
	gate := &gate{want: 3, open: make(chan struct{})}
	client := newClient(t, customAuth(func(r *http.Request) {
		if r.Method == http.MethodHead {
			gate.pass(t)
		}
		r.SetBasicAuth("", organizationToken)
	}), memfault.WithBaseURL(cloud.URL))
	_, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{Concurrency: 3, WithoutDebugInfo: true})
	require.NoError(t, err)
	assert.Len(t, cloud.Uploads(), 30)
	assert.Equal(t, 3, gate.most)
}

// gate blocks its first callers until enough are waiting, and records their largest number.
type gate struct {
	mu         sync.Mutex
	want, most int
	waiting    int
	open       chan struct{}
}

func (g *gate) pass(t *testing.T) {
	g.mu.Lock()
	g.waiting++
	g.most = max(g.most, g.waiting)
	if g.waiting == g.want {
		select {
		case <-g.open:
		default:
			close(g.open)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.open:
	case <-t.Context().Done():
	}
	g.mu.Lock()
	g.waiting--
	g.mu.Unlock()
}

func TestSymbols_WithoutDebugInfo(t *testing.T) {
	cloud, client := newCloud(t)
	id := []byte{0xC0, 0xFF, 0xEE, 1}
	debug := elffile.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Content: []byte("DWARF")}
	file := func(sections ...elffile.Section) *memfault.File {
		content := (&elffile.File{Sections: sections}).Bytes()
		return &memfault.File{Name: "a.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
	}
	stripped := file(elffile.BuildID(binary.LittleEndian, id))
	_, err := client.Uploads.Symbols(t.Context(), sink, stripped, memfault.SymbolsOptions{})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorContains(t, err, "no debug information (.debug_info)")
	_, err = client.Uploads.Symbols(t.Context(), sink, file(debug), memfault.SymbolsOptions{})
	require.ErrorContains(t, err, "File: a.elf: the ELF file has no GNU build ID and no Memfault build ID, and SymbolsOptions identify no software version")
	require.ErrorIs(t, err, memfault.ErrNoBuildID)
	_, err = client.Uploads.Symbols(t.Context(), sink, stripped, memfault.SymbolsOptions{})
	require.NotErrorIs(t, err, memfault.ErrNoBuildID, "the debug information is missing")
	assert.Empty(t, cloud.Requests(""), "nothing must be sent")

	_, err = client.Uploads.Symbols(t.Context(), sink, file(debug), memfault.SymbolsOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"})
	require.NoError(t, err, "the version identifies the software")
	_, err = client.Uploads.Symbols(t.Context(), sink, stripped, memfault.SymbolsOptions{WithoutDebugInfo: true})
	require.NoError(t, err)
	whole := file(elffile.BuildID(binary.LittleEndian, []byte{1, 2, 3, 4}), debug)
	_, err = client.Uploads.Symbols(t.Context(), sink, whole, memfault.SymbolsOptions{})
	require.NoError(t, err)
}

func TestSymbolsDir_SkipsWithoutDebugInfo(t *testing.T) {
	cloud, client := newCloud(t)
	dir := t.TempDir()
	id := elffile.BuildID(binary.LittleEndian, []byte{0xC0, 0xFF, 0xEE, 1})
	debug := elffile.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Content: []byte("DWARF")}
	for name, file := range map[string]elffile.File{
		"stripped.elf": {Sections: []elffile.Section{id, {Name: ".text", Type: elf.SHT_PROGBITS, Content: make([]byte, 4096)}}},
		"whole.elf":    {Sections: []elffile.Section{id, debug}},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), file.Bytes(), 0o600))
	}
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{})
	require.NoError(t, err)
	require.Len(t, results, 2)
	assert.Contains(t, results[0].Skipped, ".debug_info")
	assert.Nil(t, results[0].Result)
	assert.Empty(t, results[1].Skipped)
	assert.False(t, results[1].Result.AlreadyUploaded, "the larger file without debug information must not win")
	assert.Len(t, cloud.Uploads(), 1)
}

// fileWith returns a file with the given content.
func fileWith(name string, content []byte) *memfault.File {
	return &memfault.File{Name: name, Size: int64(len(content)), Content: bytes.NewReader(content)}
}

// A version can have symbols of another build. Only a build ID proves that a file is there.
func TestSymbolsIfMissing_AnotherBuildOfTheVersion(t *testing.T) {
	build := func(n byte) []byte {
		return elffile.File{Sections: []elffile.Section{{Name: ".debug_info", Type: elf.SHT_PROGBITS, Content: []byte{n}}}}.Bytes()
	}
	for name, builds := range map[string][2][]byte{
		"ELF without a build ID": {build(1), build(2)},
		"mapping":                {[]byte("com.acme.App -> a:\n"), []byte("com.acme.App -> b:\n")},
		"not written":            {firmwareELF(1, elffile.DebugInfo(1)).Bytes(), firmwareELF(1, elffile.DebugInfo(2)).Bytes()},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			options := memfault.SymbolsOptions{SoftwareType: "main", SoftwareVersion: "1.0.0", IfMissing: true}
			for _, content := range builds {
				result, err := client.Uploads.Symbols(t.Context(), sink, fileWith("a.elf", content), options)
				require.NoError(t, err)
				assert.Equal(t, &memfault.UploadResult{MD5: md5Of(content), Size: int64(len(content))}, result)
			}
			require.Len(t, cloud.Uploads(), 2)
			assert.Empty(t, cloud.Requests("software_versions.retrieve"), "what the version has proves nothing")
		})
	}
}

// After a 409, the file is there only if its build ID is known, or if the version has it.
func TestSymbols_ConflictNeedsProof(t *testing.T) {
	mapping := []byte("com.acme.App -> a:\n")
	version := memfault.SymbolsOptions{SoftwareType: "com.acme", SoftwareVersion: "1.0:1"}
	another := memfault.SymbolsOptions{SoftwareType: "com.acme", SoftwareVersion: "1.1:2"}
	legacy := func(ctx context.Context, client *memfault.Client, content []byte, o memfault.SymbolsOptions) (*memfault.UploadResult, error) {
		return client.Uploads.SymbolsLegacy(ctx, sink, o.SoftwareType, o.SoftwareVersion, fileWith("mapping.txt", content))
	}
	current := func(ctx context.Context, client *memfault.Client, content []byte, o memfault.SymbolsOptions) (*memfault.UploadResult, error) {
		return client.Uploads.Symbols(ctx, sink, fileWith("mapping.txt", content), o)
	}
	for name, upload := range map[string]func(context.Context, *memfault.Client, []byte, memfault.SymbolsOptions) (*memfault.UploadResult, error){"symbols": current, "legacy": legacy} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			for _, before := range []bool{false, true} {
				result, err := upload(t.Context(), client, mapping, version)
				require.NoError(t, err)
				assert.Equal(t, &memfault.UploadResult{AlreadyUploaded: before, MD5: md5Of(mapping), Size: int64(len(mapping))}, result)
			}
			for _, other := range []string{"com.acme.App -> b:\n", "com.acme.App -> a:\nand more"} {
				_, err := upload(t.Context(), client, []byte(other), another)
				require.NoError(t, err)
				_, err = upload(t.Context(), client, mapping, another)
				require.ErrorIs(t, err, memfault.ErrConflict)
				require.ErrorContains(t, err, "software version 1.1:2 of type com.acme has other symbols")
			}

			cloud.Fail(memfaulttest.Fault{Operation: "symbols.download", Status: http.StatusForbidden})
			_, err := upload(t.Context(), client, mapping, version)
			require.ErrorIs(t, err, memfault.ErrConflict)
			require.ErrorContains(t, err, "whether the file is there cannot be looked up")
		})
	}
}

func TestSymbols_MemfaultBuildID(t *testing.T) {
	cloud, client := newCloud(t)
	content := firmwareELF(3, elffile.BuildID(binary.BigEndian, []byte{1, 2})).Bytes()
	for _, before := range []bool{false, true} {
		result, err := client.Uploads.Symbols(t.Context(), sink, fileWith("zephyr.elf", content), memfault.SymbolsOptions{IfMissing: true})
		require.NoError(t, err)
		assert.Equal(t, before, result.AlreadyUploaded)
	}
	assert.Len(t, cloud.Uploads(), 1)
	assert.NotContains(t, cloud.Uploads()[0].Commit, "software_version")
	for _, head := range cloud.Requests("symbols.exists_by_gnu_build_id") {
		assert.True(t, strings.HasSuffix(head.Path, "/symbols-by-gnu-build-id/"+memfaultIDText), head.Path)
	}
	result, err := client.Uploads.Symbols(t.Context(), sink, fileWith("zephyr.elf", content), memfault.SymbolsOptions{})
	require.NoError(t, err)
	assert.True(t, result.AlreadyUploaded, "after a 409")

	requests := len(cloud.Requests(""))
	_, err = client.Uploads.Symbols(t.Context(), sink, fileWith("a.elf", firmwareELF(1).Bytes()), memfault.SymbolsOptions{})
	require.ErrorIs(t, err, memfault.ErrNoBuildID)
	require.ErrorContains(t, err, "run the step after the build that writes it")
	assert.Len(t, cloud.Requests(""), requests, "nothing must be sent")
	_, err = client.Uploads.Symbols(t.Context(), sink, fileWith("a.elf", firmwareELF(1).Bytes()), memfault.SymbolsOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"})
	require.NoError(t, err, "the device then reports only its version")
}

// resultsOf returns the results by their paths in the directory.
func resultsOf(t *testing.T, dir string, results []memfault.SymbolsDirResult) map[string]memfault.SymbolsDirResult {
	t.Helper()
	named := map[string]memfault.SymbolsDirResult{}
	for _, r := range results {
		name, err := filepath.Rel(dir, r.Path)
		require.NoError(t, err)
		named[filepath.ToSlash(name)] = r
	}
	return named
}

func TestSymbolsDir_MemfaultBuildID(t *testing.T) {
	cloud, client := newCloud(t)
	plain := elffile.File{Sections: []elffile.Section{elffile.DebugInfo(3)}}
	object := plain
	object.Type = elf.ET_REL
	unlinked := firmwareELF(1)
	unlinked.Type = elf.ET_REL
	noContent := firmwareELF(3)
	noContent.OnlyKeepDebug()
	dir := symbolsTree(t, map[string][]byte{
		"zephyr/zephyr.elf":      firmwareELF(3).Bytes(),
		"zephyr/zephyr_pre0.elf": firmwareELF(1).Bytes(),
		"zephyr/build_id.c.obj":  unlinked.Bytes(),
		"app/app.elf":            firmwareELF(1).Bytes(),
		"boot/boot.elf":          plain.Bytes(),
		"boot/boot.o":            object.Bytes(),
		"debug/app.debug":        noContent.Bytes(),
		"boot/boot.bin":          make([]byte, 100),
	})
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{})
	require.ErrorIs(t, err, memfault.ErrNoBuildID)
	require.ErrorContains(t, err, "1 of 5 files")
	named := resultsOf(t, dir, results)
	require.Len(t, named, 5)
	assert.Equal(t, memfaultIDText, named["zephyr/zephyr.elf"].BuildID)
	assert.False(t, named["zephyr/zephyr.elf"].Result.AlreadyUploaded)
	require.ErrorContains(t, named["app/app.elf"].Err, "fw_build_id.py")
	for name, reason := range map[string]string{
		"zephyr/zephyr_pre0.elf": "fw_build_id.py",
		"boot/boot.elf":          "the ELF file has no GNU build ID and no Memfault build ID",
		"debug/app.debug":        "objcopy --only-keep-debug",
	} {
		assert.Contains(t, named[name].Skipped, reason, name)
		require.NoError(t, named[name].Err, name)
	}
	assert.Len(t, cloud.Uploads(), 1)
}

// Debug information counts more than size.
func TestSymbolsDir_WithoutDebugInfoPrefersDebugInfo(t *testing.T) {
	cloud, client := newCloud(t)
	id := elffile.BuildID(binary.LittleEndian, []byte{0xC0, 0xFF, 0xEE, 1})
	text := elffile.Section{Name: ".text", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Content: make([]byte, 15_000)}
	stripped := elffile.File{Sections: []elffile.Section{id, text}}
	debug := elffile.File{Sections: []elffile.Section{id, text, elffile.DebugInfo(4000)}}
	debug.OnlyKeepDebug()
	dir := symbolsTree(t, map[string][]byte{
		"app": stripped.Bytes(), "app.debug": debug.Bytes(), "copy.debug": debug.Bytes(), "z": stripped.Bytes(),
	})
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{WithoutDebugInfo: true})
	require.NoError(t, err)
	require.Len(t, cloud.Uploads(), 1)
	assert.Equal(t, "app.debug", cloud.Uploads()[0].Name)
	for name, r := range resultsOf(t, dir, results) {
		assert.Equal(t, name != "app.debug", r.Result.AlreadyUploaded, name)
	}
}

func TestSymbolsDir_Reports(t *testing.T) {
	cloud, client := newCloud(t)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	id := func(b byte) []byte { return bytes.Repeat([]byte{b}, 20) }
	there := write("a.elf", memfaulttest.SymbolFile(id(1)))
	fresh := write("b.elf", memfaulttest.SymbolFile(id(2)))
	stripped := write("c.elf", memfaulttest.SymbolFileWith(memfaulttest.SymbolFileOptions{GNUBuildID: id(3), WithoutDebugInfo: true}))
	twin := write("d.elf", memfaulttest.SymbolFile(id(2)))
	file, err := memfault.OpenFile(there)
	require.NoError(t, err)
	defer file.Close()
	_, err = client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{})
	require.NoError(t, err)

	run := func(options memfault.SymbolsDirOptions) map[string]memfault.SymbolsDirResult {
		reported := map[string]memfault.SymbolsDirResult{}
		options.OnFile = func(r memfault.SymbolsDirResult) {
			assert.NotContains(t, reported, r.Path, "reported twice")
			reported[r.Path] = r
		}
		results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, options)
		require.NoError(t, err)
		require.Len(t, reported, len(results))
		for _, r := range results {
			assert.Equal(t, r, reported[r.Path])
		}
		return reported
	}
	sent := cloud.RequestCount("upload.put_file")
	dry := run(memfault.SymbolsDirOptions{DryRun: true})
	assert.Equal(t, sent, cloud.RequestCount("upload.put_file"), "a dry run uploads nothing")
	assert.Equal(t, sent, cloud.RequestCount("upload.prepare_basic_auth"))
	require.NotNil(t, dry[there].Result)
	assert.True(t, dry[there].Result.AlreadyUploaded)
	assert.Nil(t, dry[fresh].Result, "would be uploaded")
	assert.Empty(t, dry[fresh].Skipped)
	assert.Contains(t, dry[twin].Skipped, fresh)
	assert.NotEmpty(t, dry[stripped].Skipped)
	assert.Equal(t, file.Size, dry[there].Size)

	var mu sync.Mutex
	progress := map[string]int64{}
	done := run(memfault.SymbolsDirOptions{OnProgress: func(path string, sent, total int64) {
		mu.Lock()
		defer mu.Unlock()
		progress[path] = sent
		assert.Positive(t, total)
	}})
	assert.Equal(t, map[string]int64{fresh: done[fresh].Size}, progress)
	assert.False(t, done[fresh].Result.AlreadyUploaded)
	assert.True(t, done[twin].Result.AlreadyUploaded)
}

func ExampleUploadsService_SymbolsDir() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	dir, err := os.MkdirTemp("", "build")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	symbols := memfaulttest.SymbolFile([]byte("build ID of 20 bytes"))
	if err := os.WriteFile(filepath.Join(dir, "app.elf"), symbols, 0o600); err != nil {
		log.Fatal(err)
	}
	for _, dryRun := range []bool{true, false, true} {
		_, err := cloud.Client(nil).Uploads.SymbolsDir(context.Background(), cloud.Project(), dir, memfault.SymbolsDirOptions{
			DryRun: dryRun,
			OnFile: func(file memfault.SymbolsDirResult) {
				fmt.Println(filepath.Base(file.Path), file.BuildID, file.Skipped, file.Result != nil && file.Result.AlreadyUploaded)
			},
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// app.elf 6275696c64204944206f66203230206279746573  false
	// app.elf 6275696c64204944206f66203230206279746573  false
	// app.elf 6275696c64204944206f66203230206279746573  true
}
