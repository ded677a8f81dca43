// Package symbolgate lets a build pass only if Memfault has its symbols. It is a small program of a
// user, whose tests use nothing of this project but its public packages.
package symbolgate

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/memfault-go/memfault"
)

// Check uploads the symbols of the build in dir, asks whether they are all there, and writes a line
// for each file.
func Check(ctx context.Context, log *log.Logger, client *memfault.Client, project memfault.ProjectRef, dir string) error {
	if _, err := client.Uploads.SymbolsDir(ctx, project, dir, memfault.SymbolsDirOptions{OnFile: func(f memfault.SymbolsDirResult) {
		switch {
		case f.Err != nil:
			log.Printf("FAIL %s: %v", f.Path, f.Err)
		case f.Skipped != "":
			log.Printf("skip %s: %s", f.Path, f.Skipped)
		default:
			log.Printf("ok   %s: %d bytes, build ID %s", f.Path, f.Size, f.BuildID)
		}
	}}); err != nil {
		return err
	}
	files, err := client.Uploads.SymbolsDir(ctx, project, dir, memfault.SymbolsDirOptions{DryRun: true})
	there := 0
	for _, f := range files {
		if f.Result != nil {
			there++
		} else if f.Skipped == "" && f.Err == nil {
			err = errors.Join(err, fmt.Errorf("%s: Memfault does not have its symbols", f.Path))
		}
	}
	if there == 0 && err == nil {
		err = fmt.Errorf("no symbols in %s", dir)
	}
	return err
}
