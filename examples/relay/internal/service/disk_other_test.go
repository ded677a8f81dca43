//go:build !linux

package service_test

import "testing"

func smallDisk(t *testing.T, _ string) string {
	t.Skip("a small file system is mounted only on Linux")
	return ""
}
