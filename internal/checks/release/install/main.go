// Command install checks, before a version is released, that its programs can be installed and
// that its modules can be required:
//
//	go run ./install        # resolves everything, and compiles nothing
//	go run ./install -build # installs the programs, and runs each with -help
//
// It makes a module proxy in a directory, from the last commit, and uses an empty module cache.
// What the modules require comes from the module cache of the machine, where the tests of the
// modules need it too. No other proxy is asked: it must not know the version.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/memfault-go/memfault"
)

const (
	repository = "github.com/memfault-go/memfault"
	version    = "v" + memfault.Version
)

var (
	packages = []string{"", "chunk", "chunkqueue", "memfaulttest"}
	programs = []string{
		"examples/chunks", "examples/ci-release", "examples/dashboard", "examples/fakecloud", "examples/quickstart",
		"examples/relay", "examples/verify",
	}
)

func main() {
	build := flag.Bool("build", false, "install and run the programs")
	flag.Parse()
	if err := check(*build); err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}

func check(build bool) error {
	top, err := run("", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "install")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)              //nolint:errcheck // a temporary directory
	clone := filepath.Join(dir, "clone") // what is committed, and nothing else
	if _, err := run("", nil, "git", "clone", "--quiet", strings.TrimSpace(top), clone); err != nil {
		return err
	}
	nested, err := run(clone, nil, "git", "ls-files", "*/go.mod", ":!internal/*")
	if err != nil {
		return err
	}
	for _, m := range append(strings.Fields(nested), "go.mod") {
		m = path.Dir(m)
		if err := publish(filepath.Join(dir, "proxy"), clone, m); err != nil {
			return fmt.Errorf("module %s: %w", path.Join(repository, m), err)
		}
	}
	env, err := environment(dir)
	if err != nil {
		return err
	}
	for _, p := range programs {
		if err := install(dir, env, p, build); err != nil {
			return err
		}
		fmt.Printf("go install %s@%s\n", path.Join(repository, p), version)
	}
	for _, p := range packages {
		if err := require(dir, env, path.Join(repository, p)); err != nil {
			return err
		}
		fmt.Printf("go get %s@%s\n", path.Join(repository, p), version)
	}
	return nil
}

// publish writes the module in the directory dir of a clone to a proxy.
func publish(proxy, clone, dir string) error {
	file := filepath.Join(clone, dir, "go.mod")
	text, err := os.ReadFile(file) //nolint:gosec // of this repository
	if err != nil {
		return err
	}
	parsed, err := modfile.Parse(file, text, nil)
	if err != nil {
		return err
	}
	if len(parsed.Replace) > 0 {
		return errors.New(`go.mod has a replace directive, and "go install" refuses it`)
	}
	for _, r := range parsed.Require {
		if strings.HasPrefix(r.Mod.Path, repository) && r.Mod.Version != version {
			return fmt.Errorf("go.mod requires %s %s, but version.go is %s", r.Mod.Path, r.Mod.Version, version)
		}
	}
	m := module.Version{Path: path.Join(repository, dir), Version: version}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, m, filepath.Join(clone, dir)); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	versions := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(versions, 0o750); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".info": info, version + ".mod": text, version + ".zip": archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// environment returns the variables for the go command.
func environment(dir string) ([]string, error) {
	cache, err := run("", nil, "go", "env", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	proxy, downloads := filepath.Join(dir, "proxy"), filepath.Join(strings.TrimSpace(cache), "cache", "download")
	return append(os.Environ(),
		"GOPROXY=file://"+proxy+",file://"+downloads+",off", "GOPRIVATE=", "GONOPROXY=", "GONOSUMDB=", "GOSUMDB=off",
		"GOMODCACHE="+filepath.Join(dir, "modules"), "GOBIN="+filepath.Join(dir, "bin"), "GOFLAGS=-modcacherw", "GOWORK=off",
	), nil
}

func install(dir string, env []string, program string, build bool) error {
	target := path.Join(repository, program) + "@" + version
	if !build {
		_, err := run(dir, env, "go", "install", "-n", target)
		return err
	}
	if _, err := run(dir, env, "go", "install", target); err != nil {
		return err
	}
	_, err := run(dir, env, filepath.Join(dir, "bin", path.Base(program)), "-help")
	return err
}

// require adds a package to a new module, and resolves all that it imports.
func require(dir string, env []string, pkg string) error {
	user, err := os.MkdirTemp(dir, "user")
	if err != nil {
		return err
	}
	source := fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", pkg)
	if err := os.WriteFile(filepath.Join(user, "main.go"), []byte(source), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"mod", "init", "example.com/user"}, {"get", pkg + "@" + version}, {"list", "-deps", "."}} {
		if _, err := run(user, env, "go", args...); err != nil {
			return err
		}
	}
	return nil
}

func run(dir string, env []string, name string, args ...string) (string, error) {
	command := exec.CommandContext(context.Background(), name, args...) //nolint:gosec // commands of this file
	var stdout, stderr bytes.Buffer
	command.Dir, command.Env, command.Stdout, command.Stderr = dir, env, &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}
