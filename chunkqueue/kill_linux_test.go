package chunkqueue

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var stride = flag.Int("stride", 6, "TestKill kills at each n-th step")

const stepsPath = "CHUNKQUEUE_TEST_STEPS"

// steps is the program that TestKill kills. It prints the chunks for which Add returned nil.
func steps(path string) error {
	q, err := Open(path, Options{})
	if err != nil {
		return err
	}
	for n := range 4 {
		if err := q.Add(context.Background(), "A", append(single(100+n), make([]byte, n*2000)...)); err != nil {
			return err
		}
		fmt.Println("added", n)
	}
	return q.Close()
}

// changesFiles are the system calls that change files or sync them.
var changesFiles = map[uint64]bool{
	syscall.SYS_PWRITE64: true, syscall.SYS_FTRUNCATE: true, syscall.SYS_FSYNC: true, syscall.SYS_FDATASYNC: true,
	syscall.SYS_RENAMEAT: true, syscall.SYS_LINKAT: true, syscall.SYS_UNLINKAT: true,
}

// runTo runs the program until its n-th system call of changesFiles, and kills it there. It returns
// what the program has printed, and whether it was killed.
func runTo(t *testing.T, path string, n int) (output string, killed bool) {
	const (
		traceSysGood   = 0x1
		exitKill       = 0x100000
		wallOption     = 0x40000000
		getSyscallInfo = 0x420e
	)
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	out, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	defer out.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), stepsPath+"="+path)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSYS) {
		t.Skip("requires the right to trace a process: ", err)
	} else {
		require.NoError(t, err)
	}
	pid := cmd.Process.Pid
	defer func() { _ = cmd.Process.Release() }()
	var status syscall.WaitStatus
	_, err = syscall.Wait4(pid, &status, 0, nil)
	require.NoError(t, err)
	require.NoError(t, syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACECLONE|traceSysGood|exitKill))
	require.NoError(t, syscall.PtraceSyscall(pid, 0))
	started := map[int]bool{pid: true}
	for seen := 0; ; {
		thread, err := syscall.Wait4(-pid, &status, wallOption, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		require.NoError(t, err)
		if status.Exited() || status.Signaled() {
			if thread != pid {
				continue
			}
			if !killed {
				require.Zero(t, status.ExitStatus())
			}
			text, err := os.ReadFile(out.Name())
			require.NoError(t, err)
			return string(text), killed
		}
		deliver := 0
		switch signal := status.StopSignal(); {
		case signal == syscall.SIGTRAP|0x80:
			var info [11]uint64 // struct ptrace_syscall_info: op, addresses, the number of the call
			_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(thread), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
			if errno != 0 && !killed {
				_ = cmd.Process.Kill()
				t.Skip("requires Linux 5.3: ", errno)
			}
			const entry = 1
			if byte(info[0]) == entry && changesFiles[info[3]] {
				if seen++; seen == n {
					killed = true
					require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
				}
			}
		case signal == syscall.SIGTRAP: // a new thread is announced
		case signal == syscall.SIGSTOP && !started[thread]:
			started[thread] = true
		default:
			deliver = int(signal)
		}
		_ = syscall.PtraceSyscall(thread, deliver) // it can have been killed
	}
}

// The program is killed before each of its system calls that changes or syncs a file: while it
// creates the queue, recovers a damaged one, and adds chunks.
func TestKill(t *testing.T) {
	damaged, _ := writeQueue(t, 3)
	damaged[8] ^= 1
	for _, start := range []struct {
		name   string
		file   []byte
		before int // chunks in the file
	}{{"a new queue", nil, 0}, {"a damaged queue", damaged, 3}} {
		killed := true
		kills := 0
		for n := 1; killed; n += *stride {
			path := filepath.Join(t.TempDir(), "chunks.db")
			if start.file != nil {
				require.NoError(t, os.WriteFile(path, start.file, 0o600))
			}
			var output string
			output, killed = runTo(t, path, n)
			acknowledged := strings.Count(output, "added")
			q, err := Open(path, Options{})
			require.NoError(t, err)
			found := contents(t, q)
			assert.GreaterOrEqual(t, len(found), start.before+acknowledged, "%s, step %d: %s", start.name, n, output)
			assert.LessOrEqual(t, len(found), start.before+acknowledged+1)
			for i := range acknowledged {
				assert.True(t, found[string(append(single(100+i), make([]byte, i*2000)...))], "%s, step %d: chunk %d", start.name, n, i)
			}
			if start.file == nil || acknowledged > 0 {
				assert.Nil(t, q.Recovery(), "%s, step %d", start.name, n)
			}
			require.NoError(t, q.Close())
			if killed {
				kills++
			} else {
				assert.Equal(t, 4, acknowledged)
			}
		}
		assert.Positive(t, kills)
		t.Logf("%s: %d kills", start.name, kills)
	}
}
