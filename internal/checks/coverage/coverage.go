// Package coverage analyzes the source of the client: which method of a service sends
// which operation of the API. The coverage test and the table in docs/operations.md use the
// result.
package coverage

import (
	"cmp"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// Method is an exported method of a service.
type Method struct {
	Service    string // the field of the Client, such as Devices
	Name       string
	File       string // its name, without the directory
	Doc        string
	Operations []*operation.Operation // sorted by name, without duplicates
}

// String returns the method as a program calls it, such as Devices.List.
func (m Method) String() string { return m.Service + "." + m.Name }

// Package is the result of the analysis.
type Package struct {
	// Methods contains the methods of all services, sorted by service and name.
	Methods []Method
	// Examples contains the services that have an Example with a checked output.
	Examples map[string]bool

	testCalls map[string]bool // called in tests, as Service.Method and as Method
	services  map[string]int  // number of services with a method of that name
}

// Load analyzes the package in a directory. It runs the go command, which compiles the
// package and its dependencies if they are not in the build cache.
func Load(dir string) (*Package, error) {
	names, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	fileSet := token.NewFileSet()
	source, err := parse(fileSet, dir, names.GoFiles)
	if err != nil {
		return nil, err
	}
	tests, err := parse(fileSet, dir, slices.Concat(names.TestGoFiles, names.XTestGoFiles))
	if err != nil {
		return nil, err
	}
	calls, err := newCallGraph(dir, fileSet, source)
	if err != nil {
		return nil, err
	}
	p := &Package{Examples: map[string]bool{}, testCalls: map[string]bool{}, services: map[string]int{}}
	for _, file := range source {
		p.addMethods(fileSet, file, calls)
	}
	slices.SortFunc(p.Methods, func(a, b Method) int { return cmp.Compare(a.String(), b.String()) })
	for _, file := range tests {
		p.addTestCalls(file)
		p.addExamples(file)
	}
	return p, nil
}

func parse(fileSet *token.FileSet, dir string, names []string) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(fileSet, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// MethodsOf returns the methods that send an operation, sorted by service and name.
func (p *Package) MethodsOf(op *operation.Operation) []Method {
	var methods []Method
	for _, method := range p.Methods {
		if slices.Contains(method.Operations, op) {
			methods = append(methods, method)
		}
	}
	return methods
}

// Tested reports whether a test calls a method. A call on a variable, such as
// uploads.MAR, counts only if no other service has a method of that name.
func (p *Package) Tested(method Method) bool {
	return p.testCalls[method.String()] || p.services[method.Name] == 1 && p.testCalls[method.Name]
}

func (p *Package) addMethods(fileSet *token.FileSet, file *ast.File, calls *callGraph) {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv == nil || !f.Name.IsExported() {
			continue
		}
		service, ok := strings.CutSuffix(receiverType(f.Recv.List[0].Type), "Service")
		if !ok {
			continue
		}
		p.services[f.Name.Name]++
		p.Methods = append(p.Methods, Method{
			Service: service, Name: f.Name.Name, Doc: f.Doc.Text(), File: filepath.Base(fileSet.Position(f.Pos()).Filename),
			Operations: calls.operationsOf(f),
		})
	}
}

// addTestCalls adds calls such as client.Devices.List and uploads.MAR.
func (p *Package) addTestCalls(file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		if method, ok := node.(*ast.SelectorExpr); ok {
			p.testCalls[method.Sel.Name] = true
			if service, ok := method.X.(*ast.SelectorExpr); ok {
				p.testCalls[service.Sel.Name+"."+method.Sel.Name] = true
			}
		}
		return true
	})
}

// addExamples adds the services of functions such as ExampleDevicesService_List.
func (p *Package) addExamples(file *ast.File) {
	for _, example := range doc.Examples(file) {
		name, _, _ := strings.Cut(example.Name, "_")
		if service, ok := strings.CutSuffix(name, "Service"); ok && example.Output != "" {
			p.Examples[service] = true
		}
	}
}
