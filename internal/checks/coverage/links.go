package coverage

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"regexp"
	"strings"
)

// LinkProblems returns the doc links in the package in a directory that lead nowhere: a link to
// a name of an exported type that does not exist, and [Type].Name, which links the type alone.
// Tests are not checked.
func LinkProblems(dir string) ([]string, error) {
	names, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	fileSet := token.NewFileSet()
	files, err := parse(fileSet, dir, names.GoFiles)
	if err != nil {
		return nil, err
	}
	exported := exportedNames(files)
	var problems []string
	for _, file := range files {
		for _, comment := range file.Comments {
			for _, problem := range exported.check(comment.Text()) {
				problems = append(problems, fmt.Sprintf("%s: %s", fileSet.Position(comment.Pos()), problem))
			}
		}
	}
	return problems, nil
}

// nameSet contains exported names, such as Client and Client.Do.
type nameSet map[string]bool

func exportedNames(files []*ast.File) nameSet {
	names := nameSet{}
	add := func(parts ...string) {
		for _, part := range parts {
			if !ast.IsExported(part) {
				return
			}
		}
		names[strings.Join(parts, ".")] = true
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					add(decl.Name.Name)
				} else {
					add(receiverType(decl.Recv.List[0].Type), decl.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					addSpec(add, spec)
				}
			}
		}
	}
	return names
}

func addSpec(add func(parts ...string), spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			add(name.Name)
		}
	case *ast.TypeSpec:
		add(spec.Name.Name)
		var members *ast.FieldList
		switch t := spec.Type.(type) {
		case *ast.StructType:
			members = t.Fields
		case *ast.InterfaceType:
			members = t.Methods
		default:
			return
		}
		for _, member := range members.List {
			for _, name := range member.Names {
				add(spec.Name.Name, name.Name)
			}
		}
	}
}

// receiverType returns the name of the type of a receiver.
func receiverType(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiverType(expr.X)
	case *ast.IndexExpr:
		return receiverType(expr.X)
	case *ast.Ident:
		return expr.Name
	default:
		return ""
	}
}

// docLink matches a link, and a field or method after it.
var docLink = regexp.MustCompile(`\[\*?(\w+(?:\.\w+)*)\](?:\.(\w+))?`)

func (names nameSet) check(comment string) []string {
	var problems []string
	for paragraph := range strings.SplitSeq(comment, "\n\n") {
		if strings.HasPrefix(paragraph, "\t") {
			continue // code has no links
		}
		for _, found := range docLink.FindAllStringSubmatch(strings.Join(strings.Fields(paragraph), " "), -1) {
			name, member := found[1], found[2]
			typeName, _, _ := strings.Cut(name, ".")
			switch {
			case member != "" && names[name+"."+member]:
				problems = append(problems, fmt.Sprintf("write [%s.%s]", name, member))
			case names[typeName] && !names[name]:
				problems = append(problems, "no such name: ["+name+"]")
			}
		}
	}
	return problems
}
