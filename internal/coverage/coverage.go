// Package coverage reads the client's source and tells which of its methods call
// which operation of the API. The coverage test and the table in the README are made
// of it.
package coverage

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Method is an exported method of a service.
type Method struct {
	Service string // the Client's field, such as Devices
	Name    string
	Doc     string
	Lines   int // of its body
}

// String is how a program calls the method.
func (m Method) String() string { return m.Service + "." + m.Name }

// Package is what the source tells.
type Package struct {
	// Methods holds the methods by the Go name of the operation that they call.
	Methods map[string][]Method
	// Lines holds the length of each file that is no test.
	Lines map[string]int
	// Examples holds the services that have an Example whose output is checked.
	Examples map[string]bool

	calls    map[string]bool // in tests: of a service's method, or of a method of anything
	services map[string]int  // how many services have a method of a name
}

// Tested reports whether a test calls a method. On a variable, a method's name tells
// the service if no other service has one of that name.
func (p *Package) Tested(method Method) bool {
	return p.calls[method.String()] || p.services[method.Name] == 1 && p.calls[method.Name]
}

// function is what one function of the package mentions.
type function struct {
	operations []string
	calls      []string // what may be functions of the package: name, or Type.name
}

// Load reads the package in a directory.
func Load(dir string) (*Package, error) {
	p := &Package{Methods: map[string][]Method{}, Lines: map[string]int{}, Examples: map[string]bool{}, calls: map[string]bool{}, services: map[string]int{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	functions, exported := map[string]function{}, map[Method]function{}
	for _, path := range paths {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, "_test.go") {
			p.noteCalls(file)
			p.noteExamples(file)
			continue
		}
		if p.Lines[filepath.Base(path)], err = countLines(path); err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			name, found := mentions(decl)
			functions[name] = found
			if method, ok := serviceMethod(files, decl); ok {
				exported[method] = found
			}
		}
	}
	for method, found := range exported {
		p.services[method.Name]++
		for _, operation := range reach(found, functions) {
			p.Methods[operation] = append(p.Methods[operation], method)
		}
	}
	for _, methods := range p.Methods {
		slices.SortFunc(methods, func(a, b Method) int { return strings.Compare(a.String(), b.String()) })
	}
	return p, nil
}

func countLines(path string) (int, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a source file of this repository
	return strings.Count(string(text), "\n"), err
}

// mentions returns the name of a declaration, Type.name for a method, and what stands
// in it. A variable that names operations counts as a function that does.
func mentions(decl ast.Decl) (name string, found function) {
	types := map[string]string{} // of the receiver and the parameters
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		name = decl.Name.Name
		if decl.Recv != nil {
			name = typeName(decl.Recv.List[0].Type) + "." + name
			noteTypes(types, decl.Recv)
		}
		noteTypes(types, decl.Type.Params)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok {
				name = value.Names[0].Name
			}
		}
	}
	ast.Inspect(decl, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			x, ok := node.X.(*ast.Ident)
			switch {
			case ok && x.Name == "operation":
				found.operations = append(found.operations, node.Sel.Name)
			case ok && types[x.Name] != "":
				found.calls = append(found.calls, types[x.Name]+"."+node.Sel.Name)
			case !node.Sel.IsExported():
				found.calls = append(found.calls, "."+node.Sel.Name)
			}
		case *ast.Ident:
			found.calls = append(found.calls, node.Name)
		}
		return true
	})
	return name, found
}

func noteTypes(types map[string]string, fields *ast.FieldList) {
	for _, field := range fields.List {
		for _, name := range field.Names {
			types[name.Name] = typeName(field.Type)
		}
	}
}

// typeName returns the name of the type of a receiver or a parameter.
func typeName(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return typeName(expr.X)
	case *ast.IndexExpr:
		return typeName(expr.X)
	case *ast.Ident:
		return expr.Name
	}
	return ""
}

func serviceMethod(files *token.FileSet, decl ast.Decl) (Method, bool) {
	f, ok := decl.(*ast.FuncDecl)
	if !ok || f.Recv == nil || !f.Name.IsExported() {
		return Method{}, false
	}
	pointer, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return Method{}, false
	}
	receiver, ok := pointer.X.(*ast.Ident)
	if !ok {
		return Method{}, false
	}
	service, ok := strings.CutSuffix(receiver.Name, "Service")
	return Method{
		Service: service, Name: f.Name.Name, Doc: f.Doc.Text(),
		Lines: files.Position(f.Body.Rbrace).Line - files.Position(f.Body.Lbrace).Line - 1,
	}, ok
}

// reach returns the operations that a function names, itself or by what it calls. A
// method called on something of unknown type is followed if just one type has one of
// that name.
func reach(from function, functions map[string]function) []string {
	operations := slices.Clone(from.operations)
	seen := map[string]bool{}
	for queue := slices.Clone(from.calls); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if strings.HasPrefix(name, ".") {
			name = onlyMethod(name, functions)
		}
		if called, ok := functions[name]; ok && !seen[name] {
			seen[name] = true
			operations = append(operations, called.operations...)
			queue = append(queue, called.calls...)
		}
	}
	slices.Sort(operations)
	return slices.Compact(operations)
}

func onlyMethod(suffix string, functions map[string]function) string {
	only := ""
	for name := range functions {
		if strings.HasSuffix(name, suffix) {
			if only != "" {
				return ""
			}
			only = name
		}
	}
	return only
}

// noteCalls notes calls such as client.Devices.List, and such as uploads.MAR.
func (p *Package) noteCalls(file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		if method, ok := node.(*ast.SelectorExpr); ok {
			p.calls[method.Sel.Name] = true
			if service, ok := method.X.(*ast.SelectorExpr); ok {
				p.calls[service.Sel.Name+"."+method.Sel.Name] = true
			}
		}
		return true
	})
}

// noteExamples notes functions such as ExampleDevicesService_List.
func (p *Package) noteExamples(file *ast.File) {
	for _, example := range doc.Examples(file) {
		name, _, _ := strings.Cut(example.Name, "_")
		if service, ok := strings.CutSuffix(name, "Service"); ok && example.Output != "" {
			p.Examples[service] = true
		}
	}
}
