package memfault

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// Version is the version of this package, for a build that does not contain the version of its
// module: a test of the module itself, or a program that replaces it with a directory.
const Version = "0.1.0"

const modulePath = "github.com/memfault-go/memfault"

// defaultUserAgent returns the name and the version of the package for the User-Agent header.
func defaultUserAgent() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return "memfault-go/" + cmp.Or(moduleVersion(info), Version)
}

// moduleVersion returns the version of the module that a program was built with, or "" if
// the build does not contain it.
func moduleVersion(info *debug.BuildInfo) string {
	for _, module := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if module.Path != modulePath {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		version, ok := strings.CutPrefix(module.Version, "v")
		if !ok { // "(devel)", or empty
			return ""
		}
		return version
	}
	return ""
}
