// Package atomicfile writes files that exist under their names only when they are complete.
//
// A file is written under a temporary name in the same directory, synced to the disk, and then
// renamed. If the process or the machine stops before, only the temporary file remains; [Clean]
// removes it. Each [Write] has a temporary file of its own, so that two processes that write the
// same file cannot mix their contents; but Clean also removes the temporary files of a process
// that still runs, whose Write then fails.
package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	prefix = ".download-"
	suffix = ".part"
)

// Clean removes temporary files that earlier processes have left in a directory.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) && entry.Type().IsRegular() {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}

// Size returns the size of a complete file. It reports false if there is none.
func Size(dir, name string) (int64, bool) {
	info, err := os.Lstat(filepath.Join(dir, name))
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// Write creates or replaces a file with what fill writes. Only the owner can read it. If fill
// or the disk fails, or fill panics, the file remains as it was. Write reports in local whether
// the error is one of the disk.
func Write(dir, name string, fill func(io.Writer) error) (local bool, err error) {
	file, err := os.CreateTemp(dir, prefix+name+"-*"+suffix)
	if err != nil {
		return true, err
	}
	renamed := false
	defer func() {
		if !renamed {
			_ = file.Close() // a second Close does no harm
			_ = os.Remove(file.Name())
		}
	}()
	w := &recorder{file: file}
	if err := fill(w); err != nil {
		return w.err != nil, err
	}
	if err := file.Sync(); err != nil {
		return true, err
	}
	if err := file.Close(); err != nil {
		return true, err
	}
	if err := os.Rename(file.Name(), filepath.Join(dir, name)); err != nil {
		return true, err
	}
	renamed = true
	syncDir(dir)
	return false, nil
}

// recorder remembers the error of a file.
type recorder struct {
	file *os.File
	err  error
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.file.Write(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

// syncDir makes a rename durable. Some systems cannot sync a directory. Then the file is still
// either complete or absent after a crash.
func syncDir(dir string) {
	d, err := os.Open(dir) //nolint:gosec // the directory of the caller
	if err != nil {
		return
	}
	_ = d.Sync()
	_ = d.Close()
}
