package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"runtime/debug"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, write(&out, &debug.BuildInfo{
		GoVersion: "go1.26.8", Path: repository + "/examples/relay",
		Main: debug.Module{Path: repository + "/examples/relay"},
		Deps: []*debug.Module{
			{Path: repository, Version: "(devel)"},
			{Path: "example.com/a", Version: "v1.2.3+incompatible", Sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
			{Path: "example.com/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1"}},
		},
	}, "v0.1.0"))
	var bom cdx.BOM
	require.NoError(t, cdx.NewBOMDecoder(&out, cdx.BOMFileFormatJSON).Decode(&bom))
	assert.Equal(t, "relay", bom.Metadata.Component.Name)
	assert.Equal(t, "pkg:golang/github.com/memfault-go/memfault/examples/relay@v0.1.0?type=module", bom.Metadata.Component.PackageURL)
	names := map[string]string{}
	for _, c := range *bom.Components {
		names[c.Name] = c.Version
	}
	assert.Equal(t, map[string]string{
		"std": "1.26.8", repository: "v0.1.0", "example.com/a": "v1.2.3+incompatible", "example.com/fork": "v1.0.1",
	}, names)
	a := (*bom.Components)[2]
	assert.Equal(t, "pkg:golang/example.com/a@v1.2.3%2Bincompatible?type=module", a.PackageURL)
	assert.Equal(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", (*a.Hashes)[0].Value)
	assert.Len(t, *(*bom.Dependencies)[0].Dependencies, 4)
}

func TestWrite_OfThisProgram(t *testing.T) {
	info, err := buildinfo.ReadFile(os.Args[0])
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, write(&out, info, "v0.1.0"))
	assert.Contains(t, out.String(), "pkg:golang/github.com/CycloneDX/cyclonedx-go@")
}
