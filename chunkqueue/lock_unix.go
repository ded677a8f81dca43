//go:build unix && !aix && !solaris

package chunkqueue

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock that bbolt takes later again, through the same descriptor, so that the file
// is locked while it is checked.
func lock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrInUse
		default:
			return err
		}
	}
}

// The errors of a write for which there is no room.
var diskFull = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
