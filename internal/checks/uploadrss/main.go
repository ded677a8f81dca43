// Command uploadrss measures the memory that an upload needs. It uploads a large payload to
// a fake cloud, which responds to the first attempt with 503. It then compares the peak of
// the resident memory, as Linux reports it, with the resident memory before the upload. The
// fake cloud runs in another process. The command fails if the difference exceeds a limit.
// It requires Linux.
//
//	go run ./internal/checks/uploadrss
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/process"
	"github.com/memfault-go/memfault/memfaulttest"
)

const mib = 1 << 20

func main() {
	size := flag.Int64("size", 1024, "size of the payload in MiB")
	limit := flag.Int64("limit", 16, "limit of the additional memory in MiB")
	serving := flag.Bool("serve", false, "run as the fake cloud until standard input ends")
	flag.Parse()
	var err error
	if *serving {
		err = serve()
	} else {
		err = measure(context.Background(), *size*mib, *limit*mib)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "uploadrss:", err)
		os.Exit(1)
	}
}

// serve runs the other process: a fake cloud whose storage fails once.
func serve() error {
	cloud, err := memfaulttest.Start()
	if err != nil {
		return err
	}
	defer cloud.Close()
	cloud.Fail(memfaulttest.Fault{Operation: "upload.put_file", Status: http.StatusServiceUnavailable, RetryAfter: "0", Times: 1})
	fmt.Println(cloud.URL)
	_, err = io.Copy(io.Discard, os.Stdin) // ends with the measuring process
	return err
}

func measure(ctx context.Context, size, limit int64) error {
	url, stop, err := process.StartSelf(ctx, "-serve")
	if err != nil {
		return err
	}
	defer stop()
	before, err := resetPeak()
	if err != nil {
		return err
	}
	start := time.Now()
	attempts, err := upload(ctx, url, size)
	if err != nil {
		return err
	}
	elapsed := time.Since(start)
	peak, err := process.Status("VmHWM")
	if err != nil {
		return err
	}
	fmt.Printf("uploaded %d MiB in %d attempts and %.1f s\n", size/mib, attempts, elapsed.Seconds())
	fmt.Printf("peak RSS %.1f MiB above the start (%.1f MiB at the start, %.1f MiB in total), limit %d MiB\n",
		float64(peak-before)/mib, float64(before)/mib, float64(peak)/mib, limit/mib)
	if peak-before > limit {
		return errors.New("the upload exceeded the memory limit")
	}
	return nil
}

// upload uploads a payload, and returns the number of attempts to send the file.
func upload(ctx context.Context, url string, size int64) (attempts int64, err error) {
	var puts atomic.Int64
	var cloud memfaulttest.Server // its project and its token are those of the other process
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), memfault.WithBaseURL(url),
		memfault.WithObserver(func(_ context.Context, a memfault.Attempt) {
			if a.Operation == "upload.put_file" {
				puts.Add(1)
			}
		}))
	if err != nil {
		return 0, err
	}
	file := &memfault.File{Name: "payload.bin", Size: size, Content: newPattern(size)}
	result, err := client.Uploads.OTAPayload(ctx, cloud.Project(), file, memfault.OTAPayloadOptions{
		HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "2.0.0",
	})
	switch {
	case err != nil:
		return 0, err
	case result.Size != size || result.AlreadyUploaded: // the fake compares the MD5
		return 0, fmt.Errorf("unexpected result %+v", *result)
	case puts.Load() != 2:
		return 0, fmt.Errorf("unexpected number of attempts: got %d, want 2", puts.Load())
	}
	return puts.Load(), nil
}

// pattern is the content of a file that is computed when it is read. The content is always
// the same, and adjacent blocks differ.
type pattern struct {
	size  int64
	bytes [4093]byte // a prime number of bytes
}

func newPattern(size int64) *pattern {
	p := &pattern{size: size}
	for i := range p.bytes {
		p.bytes[i] = byte(i * i >> 3 & 0xff)
	}
	return p
}

func (p *pattern) ReadAt(into []byte, at int64) (int, error) {
	n := int(max(min(int64(len(into)), p.size-at), 0))
	for filled := 0; filled < n; {
		from := (at + int64(filled)) % int64(len(p.bytes))
		filled += copy(into[filled:n], p.bytes[from:])
	}
	if n < len(into) {
		return n, io.EOF
	}
	return n, nil
}

// resetPeak resets the peak of the resident memory, and returns the current value.
func resetPeak() (int64, error) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0, err
	}
	return process.Status("VmRSS")
}
