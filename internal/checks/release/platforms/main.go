// Command platforms checks that the module in the working directory compiles for other systems,
// and vets it there, with its tests:
//
//	platforms linux/386 windows/amd64 …
//
// It gets all types from source, those of the standard library too. So nothing is compiled, and a
// system takes seconds, where GOOS=… go vet compiles everything first and takes minutes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/analysis/passes/atomicalign"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/packages"
)

func main() {
	if len(os.Args) == 1 {
		fmt.Fprintln(os.Stderr, "usage: platforms GOOS/GOARCH …")
		os.Exit(2)
	}
	failed := false
	for _, system := range os.Args[1:] {
		count, err := check(".", system)
		if err != nil {
			fmt.Printf("%s:\n%v\n", system, err)
			failed = true
			continue
		}
		fmt.Printf("%s: %d packages\n", system, count)
	}
	if failed {
		os.Exit(1)
	}
}

// analyzers are those of go vet, and one that finds 64-bit values which 32-bit systems cannot
// change atomically.
func analyzers() []*analysis.Analyzer {
	return append(slices.Clip(vet.Suite), atomicalign.Analyzer)
}

// check checks the packages below dir for one system, and returns how many there are. The error
// has a line for each problem.
func check(dir, system string) (int, error) {
	known, err := exec.CommandContext(context.Background(), "go", "tool", "dist", "list").Output()
	if err != nil {
		return 0, err
	}
	if !slices.Contains(strings.Fields(string(known)), system) {
		return 0, errors.New("go does not know this system")
	}
	goos, goarch, _ := strings.Cut(system, "/")
	config := &packages.Config{
		// Without NeedExportFile, types of dependencies come from source.
		Mode: packages.LoadAllSyntax | packages.NeedModule, Tests: true, Dir: dir,
		Env: append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0"),
	}
	loaded, err := packages.Load(config, "./...")
	if err != nil {
		return 0, err
	}
	if len(loaded) == 0 {
		return 0, errors.New("there are no packages")
	}
	var problems []string
	packages.Visit(loaded, nil, func(p *packages.Package) {
		for _, problem := range p.Errors {
			problems = append(problems, problem.Error())
		}
	})
	if len(problems) > 0 {
		return 0, lines(problems)
	}
	graph, err := checker.Analyze(analyzers(), loaded, nil)
	if err != nil {
		return 0, err
	}
	for _, action := range graph.Roots {
		if action.Err != nil {
			return 0, action.Err
		}
		for _, diagnostic := range action.Diagnostics {
			problems = append(problems, fmt.Sprintf("%s: %s", action.Package.Fset.Position(diagnostic.Pos), diagnostic.Message))
		}
	}
	if len(problems) > 0 {
		return 0, lines(problems)
	}
	return len(loaded), nil
}

// lines returns an error with each problem once: a file can be in a package and in its test variant.
func lines(problems []string) error {
	slices.Sort(problems)
	return errors.New(strings.Join(slices.Compact(problems), "\n"))
}
