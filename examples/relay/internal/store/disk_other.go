//go:build !linux && !darwin && !freebsd

package store

// freeSpace returns -1: the free space is unknown.
func freeSpace(string) int64 { return -1 }
