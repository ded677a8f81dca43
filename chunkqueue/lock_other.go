//go:build !unix || aix || solaris

package chunkqueue

import (
	"os"
	"syscall"
)

// lock does nothing: bbolt locks the file, after it was checked.
func lock(*os.File) error { return nil }

// The errors of a write for which there is no room.
var diskFull = []syscall.Errno{syscall.ENOSPC}
