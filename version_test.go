package memfault_test

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

func TestModuleVersion(t *testing.T) {
	other := &debug.Module{Path: "github.com/acme/relay", Version: "v9.9.9"}
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"dependency": {debug.BuildInfo{Main: *other, Deps: []*debug.Module{other, {Path: memfault.ModulePath, Version: "v1.2.3"}}}, "1.2.3"},
		"pseudo":     {debug.BuildInfo{Deps: []*debug.Module{{Path: memfault.ModulePath, Version: "v0.0.0-20260102030405-abcdef012345"}}}, "0.0.0-20260102030405-abcdef012345"},
		"fork":       {debug.BuildInfo{Deps: []*debug.Module{{Path: memfault.ModulePath, Version: "v1.2.3", Replace: &debug.Module{Path: "github.com/acme/memfault", Version: "v1.2.4"}}}}, "1.2.4"},
		"directory":  {debug.BuildInfo{Deps: []*debug.Module{{Path: memfault.ModulePath, Version: "v1.2.3", Replace: &debug.Module{Path: "../memfault"}}}}, ""},
		"devel":      {debug.BuildInfo{Main: debug.Module{Path: memfault.ModulePath, Version: "(devel)"}}, ""},
		"main":       {debug.BuildInfo{Main: debug.Module{Path: memfault.ModulePath, Version: "v1.2.3+dirty"}}, "1.2.3+dirty"},
		"unknown":    {debug.BuildInfo{Main: *other}, ""},
	} {
		assert.Equal(t, test.want, memfault.ModuleVersion(&test.info), name)
	}
}

// The path of the module stands in one place; it must be that of go.mod.
func TestModuleVersion_OfThisBuild(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	require.True(t, ok)
	assert.Equal(t, memfault.ModulePath, info.Main.Path)
}

// The constants have no expression of an internal package, so that their documentation is
// complete; their values are those of the table of operations.
func TestHosts_AreThoseOfOperations(t *testing.T) {
	for host, role := range map[memfault.Host]operation.Host{
		memfault.HostAPI: operation.API, memfault.HostChunks: operation.Chunks, memfault.HostIngress: operation.Ingress,
		memfault.HostFiles: operation.Files, memfault.HostDevice: operation.Device, memfault.HostNRFCloud: operation.NRFCloud,
	} {
		assert.Equal(t, int(role), int(host), role)
	}
}
