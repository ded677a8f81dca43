package coverage

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// callGraph contains the references between the functions and the variables of a package.
// A function that is mentioned counts as called. Calls through an interface are not
// followed.
type callGraph struct {
	info  *types.Info
	nodes map[types.Object]references
}

// references lists what the declaration of a function or a variable mentions.
type references struct {
	operations []*operation.Operation
	objects    []types.Object // functions, methods and variables
}

func newCallGraph(dir string, fileSet *token.FileSet, files []*ast.File) (*callGraph, error) {
	exports, err := exportFiles(dir, ".")
	if err != nil {
		return nil, err
	}
	g := &callGraph{
		info:  &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}},
		nodes: map[types.Object]references{},
	}
	config := types.Config{Importer: newImporter(fileSet, exports)}
	if _, err := config.Check(dir, fileSet, files, g.info); err != nil {
		return nil, err
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			g.add(decl)
		}
	}
	return g, nil
}

// exportFiles returns the files with the types of the packages in dir, given by paths such
// as ".", and of their dependencies, by import path.
func exportFiles(dir string, packages ...string) (map[string]string, error) {
	args := append([]string{"list", "-deps", "-export", "-f", "{{.ImportPath}} {{.Export}}"}, packages...)
	list := exec.CommandContext(context.Background(), "go", args...) //nolint:gosec // the paths are constants
	list.Dir = dir
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	return exports, nil
}

// newImporter returns an importer of the packages in the result of exportFiles.
func newImporter(fileSet *token.FileSet, exports map[string]string) types.Importer {
	return importer.ForCompiler(fileSet, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

func (g *callGraph) add(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		g.nodes[g.info.Defs[decl.Name]] = g.references(decl)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			if values, ok := spec.(*ast.ValueSpec); ok {
				for _, name := range values.Names {
					g.nodes[g.info.Defs[name]] = g.references(spec)
				}
			}
		}
	}
}

func (g *callGraph) references(node ast.Node) references {
	var found references
	keys := map[ast.Expr]bool{}
	ast.Inspect(node, func(node ast.Node) bool {
		if pair, ok := node.(*ast.KeyValueExpr); ok {
			keys[pair.Key] = true // what is known about an operation, in a map, does not send it
		}
		if expression, ok := node.(ast.Expr); ok && keys[expression] {
			return false
		}
		name, ok := node.(*ast.Ident)
		if !ok {
			return true
		}
		switch object := g.info.Uses[name].(type) {
		case *types.Func:
			found.objects = append(found.objects, object.Origin())
		case *types.Var:
			found.objects = append(found.objects, object)
			if op := rowOf(object); op != nil {
				found.operations = append(found.operations, op)
			}
		}
		return true
	})
	return found
}

// rowOf returns the row of the table that a variable of package operation contains, which
// has the name of the operation. It returns nil for any other variable.
func rowOf(variable *types.Var) *operation.Operation {
	if variable.Pkg() == nil || !strings.HasSuffix(variable.Pkg().Path(), "/internal/operation") {
		return nil
	}
	for _, op := range operation.All() {
		if strings.EqualFold(variable.Name(), strings.NewReplacer(".", "", "_", "").Replace(op.Name)) {
			return op
		}
	}
	return nil
}

// operationsOf returns the operations that a method sends: those that are mentioned in it
// or in anything that it references.
func (g *callGraph) operationsOf(method *ast.FuncDecl) []*operation.Operation {
	var found []*operation.Operation
	queue := []types.Object{g.info.Defs[method.Name]}
	seen := map[types.Object]bool{}
	for len(queue) > 0 {
		object := queue[0]
		queue = queue[1:]
		if !seen[object] {
			seen[object] = true
			found = append(found, g.nodes[object].operations...)
			queue = append(queue, g.nodes[object].objects...)
		}
	}
	slices.SortFunc(found, func(a, b *operation.Operation) int { return cmp.Compare(a.Name, b.Name) })
	found = slices.Compact(found)
	var sent []*operation.Operation
	for _, op := range found {
		if sends(op, found) {
			sent = append(sent, op)
		}
	}
	return sent
}

// sends reports whether a method that mentions the operations sends op. Only the two
// operations that prepare an upload can be mentioned and not be sent: each accepts other
// credentials, and before the client sends one it checks that the operation that commits
// the upload accepts the client's credential too.
func sends(op *operation.Operation, operations []*operation.Operation) bool {
	if op != operation.UploadPrepareProjectKey && op != operation.UploadPrepareBasicAuth {
		return true
	}
	return slices.ContainsFunc(operations, func(commit *operation.Operation) bool {
		return strings.HasPrefix(commit.Name, "upload.commit_") && commit.Credentials&op.Credentials != 0
	})
}
