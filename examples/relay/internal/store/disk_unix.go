//go:build linux || darwin || freebsd

package store

import "syscall"

// freeSpace returns the bytes that this process can write into a directory, or -1 if that is
// unknown.
func freeSpace(dir string) int64 {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return -1
	}
	return int64(stat.Bavail) * int64(stat.Bsize) //nolint:gosec,unconvert // the types differ between systems
}
