package coverage

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// LinkProblems returns where the doc comments of the package in a directory break the rule
// of doc links: a name that the package exports is a link where a comment mentions it first,
// and every link to a name of the package leads to an exported name. Tests are not checked.
//
// A word counts as a name unless it can be a plain word. The names of a declaration itself and
// of its members need no link. Comments of declarations that are not exported are not checked.
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
		for _, documented := range docComments(file) {
			for _, problem := range exported.check(documented) {
				problems = append(problems, fmt.Sprintf("%s: %s", fileSet.Position(documented.comment.Pos()), problem))
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

// docComment is a doc comment and the names that it documents.
type docComment struct {
	comment *ast.CommentGroup
	own     []string
}

// docComments returns the doc comments of the package, of exported declarations and of their
// exported members. Comments at the end of a line are left out, because nothing shows links
// in them.
func docComments(file *ast.File) []docComment {
	var comments []docComment
	add := func(comment *ast.CommentGroup, own ...string) {
		if comment != nil {
			comments = append(comments, docComment{comment, own})
		}
	}
	add(file.Doc)
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			own := []string{decl.Name.Name}
			if decl.Recv != nil {
				own = append(own, receiverType(decl.Recv.List[0].Type))
			}
			if !slices.ContainsFunc(own, unexported) {
				add(decl.Doc, own...)
			}
		case *ast.GenDecl:
			var all []string
			for _, spec := range decl.Specs {
				own := specNames(spec)
				all = append(all, own...)
				if !slices.ContainsFunc(own, ast.IsExported) {
					continue
				}
				ast.Inspect(spec, func(node ast.Node) bool {
					switch node := node.(type) {
					case *ast.ValueSpec:
						add(node.Doc, own...)
					case *ast.TypeSpec:
						add(node.Doc, own...)
					case *ast.Field:
						if len(node.Names) > 0 && node.Names[0].IsExported() {
							add(node.Doc, own...)
						}
					}
					return true
				})
			}
			if slices.ContainsFunc(all, ast.IsExported) {
				add(decl.Doc, all...)
			}
		}
	}
	return comments
}

func unexported(name string) bool { return !ast.IsExported(name) }

func specNames(spec ast.Spec) []string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return []string{spec.Name.Name}
	case *ast.ValueSpec:
		var names []string
		for _, name := range spec.Names {
			names = append(names, name.Name)
		}
		return names
	default:
		return nil
	}
}

// mention is a link, or a name that can have its type before it.
var mention = regexp.MustCompile(`\[\*?[\w./]+\]|[A-Za-z_][\w.]*\w`)

// memberName matches a name at the start of a text.
var memberName = regexp.MustCompile(`^\w+`)

func (names nameSet) check(documented docComment) []string {
	linked := map[string]bool{}
	for _, own := range documented.own {
		linked[own] = true
	}
	for name := range names {
		if typeName, member, _ := strings.Cut(name, "."); linked[typeName] {
			linked[member] = true
		}
	}
	var problems []string
	for paragraph := range strings.SplitSeq(documented.comment.Text(), "\n\n") {
		if strings.HasPrefix(paragraph, "\t") || strings.HasPrefix(paragraph, "# ") {
			continue // code and headings have no links
		}
		text := strings.Join(strings.Fields(paragraph), " ")
		for _, at := range mention.FindAllStringIndex(text, -1) {
			found := text[at[0]:at[1]]
			name := strings.Trim(found, "[*]")
			typeName, _, _ := strings.Cut(name, ".")
			member, hasMember := strings.CutPrefix(text[at[1]:], ".")
			member = memberName.FindString(member)
			switch isLink := found != name; {
			case isLink && hasMember && names[name+"."+member]:
				problems = append(problems, fmt.Sprintf("write [%s.%s]", name, member))
			case isLink && names[typeName] && !names[name]:
				problems = append(problems, "no such name: "+found)
			case isLink:
				linked[name], linked[typeName] = true, true
			case names[name] && !linked[name] && !linked[typeName] && !isPlainWord(text[:at[0]], name, text[at[1]:]):
				problems = append(problems, "no link: "+name)
				linked[name] = true
			}
		}
	}
	return problems
}

var humps = regexp.MustCompile(`[a-z0-9][A-Z]|[A-Z]{2}[a-z]`)

// isPlainWord reports whether a name can be a plain word, because of the text before and
// after it. A name of two humps, such as ProjectRef, cannot. A name of one hump, such as
// Device, can if it begins a sentence, or is a part of another word, such as User-Agent. An
// acronym, such as API, always can.
func isPlainWord(before, name, after string) bool {
	switch {
	case strings.Contains(name, "."), humps.MatchString(name):
		return false
	case strings.ToUpper(name) == name, strings.HasPrefix(after, "-"):
		return true
	default:
		before = strings.TrimRight(before, ` (*"`)
		return before == "" || strings.HasSuffix(before, ".") || strings.HasSuffix(before, "-")
	}
}
