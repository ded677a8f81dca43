package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// build is the output of a build, in a directory.
type build struct {
	dir, symbols, payload, notes string
}

func newBuild(t *testing.T) build {
	t.Helper()
	dir := t.TempDir()
	b := build{dir, filepath.Join(dir, "build"), filepath.Join(dir, "app.bin"), filepath.Join(dir, "notes.md")}
	writeFile(t, filepath.Join(b.symbols, "app.elf"), elfFile(0xa1, elf.ET_EXEC, 400))
	writeFile(t, filepath.Join(b.symbols, "copy.elf"), elfFile(0xa1, elf.ET_EXEC, 300))
	writeFile(t, filepath.Join(b.symbols, "lib", "boot.elf"), elfFile(0xb2, elf.ET_EXEC, 200))
	writeFile(t, filepath.Join(b.symbols, "stripped.elf"), elfFile(0xc3, elf.ET_EXEC, 0))
	writeFile(t, filepath.Join(b.symbols, "app.o"), elfFile(0, elf.ET_REL, 100))
	writeFile(t, filepath.Join(b.symbols, "app.map"), []byte("a map"))
	writeFile(t, b.payload, []byte("the payload of the build"))
	writeFile(t, b.notes, []byte("Fixes the tap.\n"))
	return b
}

// flags returns the command of the README.
func (b build) flags(more ...string) []string {
	return append([]string{
		"-symbols", b.symbols, "-payload", b.payload, "-version", "1.4.2+ci.77", "-software-type", "main",
		"-hardware-version", "evt,dvt", "-cohort", "beta", "-notes", b.notes,
	}, more...)
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// elfFile returns a 64-bit ELF file with a GNU build ID, unless id is 0, and debug bytes of
// debug information.
func elfFile(id byte, kind elf.Type, debug int) []byte {
	note := append([]byte("\x04\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00GNU\x00"), id, id, id, id)
	names := []byte("\x00.note.gnu.build-id\x00.debug_info\x00.shstrtab\x00")
	sections := []struct {
		name    uint32
		kind    elf.SectionType
		content []byte
	}{{}, {1, elf.SHT_NOTE, note}, {20, elf.SHT_PROGBITS, bytes.Repeat([]byte{id}, debug)}, {32, elf.SHT_STRTAB, names}}
	if id == 0 {
		sections[1].kind = elf.SHT_PROGBITS
	}
	const header, entry = 64, 64
	at := uint64(header + entry*len(sections))
	var table, contents bytes.Buffer
	for _, s := range sections {
		_ = binary.Write(&table, binary.LittleEndian, elf.Section64{Name: s.name, Type: uint32(s.kind), Off: at, Size: uint64(len(s.content)), Addralign: 1})
		contents.Write(s.content)
		at += uint64(len(s.content))
	}
	var file bytes.Buffer
	start := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1}, Type: uint16(kind), Machine: uint16(elf.EM_ARM),
		Version: 1, Shoff: header, Ehsize: header, Shentsize: entry, Shnum: uint16(len(sections)), Shstrndx: 3,
	}
	_ = binary.Write(&file, binary.LittleEndian, start)
	file.Write(table.Bytes())
	file.Write(contents.Bytes())
	return file.Bytes()
}

const fleetSize = 20

// newCloud returns a server with a cohort of devices of two boards that run 1.0.0. It can be
// used in a bubble.
func newCloud(t *testing.T) *memfaulttest.Server {
	t.Helper()
	return seed(memfaulttest.NewInMemoryServer(t))
}

func seed(cloud *memfaulttest.Server) *memfaulttest.Server {
	cloud.AcceptEqualFiles()
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "evt"}, memfaulttest.HardwareVersion{Name: "dvt"})
	for i := range fleetSize {
		cloud.AddDevices(memfaulttest.Device{
			Serial: fmt.Sprintf("SINK-%d", i), HardwareVersion: []string{"evt", "dvt"}[i%2], Cohort: "beta", SoftwareVersion: "1.0.0",
		})
	}
	return cloud
}

// updateAll updates all devices to the build after a minute.
func updateAll(cloud *memfaulttest.Server) {
	time.AfterFunc(time.Minute, func() {
		for i := range fleetSize {
			cloud.Report(fmt.Sprintf("SINK-%d", i), "1.4.2+ci.77")
		}
	})
}

// outcome is how the program ended.
type outcome struct {
	code     int
	out, err string
}

func run(ctx context.Context, t *testing.T, cloud *memfaulttest.Server, args ...string) outcome {
	t.Helper()
	return runWith(ctx, args, func(context.Context, *cli) (*connection, error) {
		return &connection{client: cloud.Client(t), project: cloud.Project(), close: func() {}}, nil
	})
}

func runWith(ctx context.Context, args []string, connect func(context.Context, *cli) (*connection, error)) outcome {
	var out, errors bytes.Buffer
	a := app{stdout: &out, stderr: &errors, connect: connect}
	code := a.run(ctx, args)
	return outcome{code, out.String(), errors.String()}
}

// requireCode fails unless the program ended with the code, and printed the reason in one line
// if it failed.
func (o outcome) requireCode(t *testing.T, code int, reason string) {
	t.Helper()
	require.Equal(t, code, o.code, o.out+o.err)
	lines := strings.Split(strings.TrimSuffix(o.err, "\n"), "\n")
	if strings.HasPrefix(lines[0], "ci-release: done: ") {
		lines = lines[1:]
	}
	require.Len(t, lines, 1, o.err)
	assert.Contains(t, lines[0], reason)
	if code == exitDone {
		assert.Empty(t, o.err)
	}
}

// writes returns the operations of the requests that changed something or could have, since a
// number of requests.
func writes(cloud *memfaulttest.Server, since int) []string {
	var operations []string
	for _, r := range cloud.Requests("")[since:] {
		if r.Method != "GET" && r.Method != "HEAD" {
			operations = append(operations, r.Operation)
		}
	}
	return operations
}

// requireOffered fails unless a device of each board is offered the build.
func requireOffered(t *testing.T, cloud *memfaulttest.Server, b build) {
	t.Helper()
	device := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	file, err := memfault.OpenFile(b.payload)
	require.NoError(t, err)
	defer file.Close()
	for serial, board := range map[string]string{"SINK-0": "evt", "SINK-1": "dvt"} {
		require.NoError(t, device.Releases.VerifyOffer(t.Context(), memfault.LatestReleaseQuery{
			DeviceSerial: serial, HardwareVersion: board, SoftwareType: "main", CurrentVersion: "1.0.0",
		}, file))
	}
}
