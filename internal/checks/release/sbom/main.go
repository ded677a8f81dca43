// Command sbom writes the bill of materials of a Go program, in the JSON form of CycloneDX 1.6:
//
//	sbom -version v0.1.0 PROGRAM > PROGRAM.cdx.json
//
// It contains what the Go linker wrote into the program: its modules, their versions and their
// hashes in go.sum, and the version of Go.
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	version := flag.String("version", "", "`version` of the program")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sbom -version VERSION PROGRAM")
		os.Exit(2)
	}
	info, err := buildinfo.ReadFile(flag.Arg(0))
	if err == nil {
		err = write(os.Stdout, info, *version)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// write writes the bill of a program of some version. A module that is replaced by a directory is
// one of this repository, and has the same version.
func write(w io.Writer, info *buildinfo.BuildInfo, version string) error {
	bom := cdx.NewBOM()
	program := component(cdx.ComponentTypeApplication, info.Main.Path, version, "")
	program.Name = path.Base(info.Path)
	if subpath := strings.TrimPrefix(info.Path, info.Main.Path); subpath != "" {
		program.PackageURL += "#" + strings.TrimPrefix(subpath, "/")
		program.BOMRef = program.PackageURL
	}
	bom.Metadata = &cdx.Metadata{Component: &program}
	components := []cdx.Component{component(cdx.ComponentTypeLibrary, "std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, module := range info.Deps {
		if ours(module) {
			components = append(components, component(cdx.ComponentTypeLibrary, module.Path, version, ""))
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, component(cdx.ComponentTypeLibrary, module.Path, module.Version, module.Sum))
	}
	bom.Components = &components
	dependsOn := make([]string, len(components))
	for i, c := range components {
		dependsOn[i] = c.BOMRef
	}
	bom.Dependencies = &[]cdx.Dependency{{Ref: program.BOMRef, Dependencies: &dependsOn}}
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}

const repository = "github.com/memfault-go/memfault"

func ours(module *debug.Module) bool {
	return module.Path == repository || strings.HasPrefix(module.Path, repository+"/")
}

// component returns a module. sum is its hash in go.sum: h1, a SHA-256 of the hashes of its files.
func component(kind cdx.ComponentType, modulePath, version, sum string) cdx.Component {
	purl := "pkg:golang/" + modulePath + "@" + url.QueryEscape(version) + "?type=module"
	c := cdx.Component{Type: kind, BOMRef: purl, PackageURL: purl, Name: modulePath, Version: version}
	if encoded, ok := strings.CutPrefix(sum, "h1:"); ok {
		if hash, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(hash)}}
		}
	}
	return c
}
