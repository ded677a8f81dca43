package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/memfault-go/memfault"
)

const module = "github.com/memfault-go/memfault"

// chunks compares the chunk sender with one POST after another.
func (b *bench) chunks(ctx context.Context) ([]row, error) {
	const serials, each, delay = 1000, 20, 5 * time.Millisecond
	posts := 200
	if b.quick {
		posts = 50
	}
	address, chunk := delayed(b.url, delay), bytes.Repeat([]byte{0x5a}, 100)
	client, err := memfault.NewClient(memfault.ProjectKey("key"), memfault.WithBaseURL(address))
	if err != nil {
		return nil, err
	}
	var perSecond [2]float64 // of the sender, and of one POST after another
	start, web := time.Now(), newHTTPClient()
	for i := range posts {
		if err := post(ctx, web, fmt.Sprintf("%s%sSN-%d", address, chunksPath, i%serials), chunk); err != nil {
			return nil, err
		}
	}
	perSecond[1] = float64(posts) / time.Since(start).Seconds()

	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	var failed error
	var mutex sync.Mutex
	start = time.Now()
	for range each {
		for i := range serials {
			err := sender.Send(ctx, fmt.Sprintf("SN-%d", i), chunk, func(err error) {
				mutex.Lock()
				defer mutex.Unlock()
				failed = errors.Join(failed, err)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	if err := errors.Join(sender.Close(ctx), failed); err != nil {
		return nil, err
	}
	perSecond[0] = serials * each / time.Since(start).Seconds()
	return []row{{
		name: "20 chunks from each of 1,000 serials at 5ms", value: perSecond[0] / perSecond[1], unit: "x the chunks per second of one POST after another",
		least: b.limit(200, 100), remarks: fmt.Sprintf("%.0f and %.0f chunks/s", perSecond[0], perSecond[1]),
	}}, nil
}

func post(ctx context.Context, web *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to read
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("unexpected status %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

var peakRSS = regexp.MustCompile(`peak RSS ([0-9.]+) MiB above`)

// upload runs internal/checks/uploadrss, whose server responds to the first PUT with 503.
func (b *bench) upload(ctx context.Context) ([]row, error) {
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	program, _, err := b.build(ctx, module+"/internal/checks/uploadrss")
	if err != nil {
		return nil, err
	}
	mib := 1024
	if b.quick {
		mib = 128
	}
	// The limit of the program is out of reach, because the row contains the budget.
	out, err := exec.CommandContext(ctx, program, "-size", strconv.Itoa(mib), "-limit", "1000000").CombinedOutput() //nolint:gosec // built above
	if err != nil {
		return nil, fmt.Errorf("uploadrss: %w: %s", err, out)
	}
	found := peakRSS.FindSubmatch(out)
	if found == nil {
		return nil, fmt.Errorf("uploadrss: unexpected output %q", out)
	}
	peak, err := strconv.ParseFloat(string(found[1]), 64)
	return []row{{name: fmt.Sprintf("upload of %d MiB, repeated: peak RSS", mib), value: peak, unit: "MiB above the start", most: 16}}, err
}

// size compares a program of one call with net/http alone.
func (b *bench) size(ctx context.Context) ([]row, error) {
	var sizes [2]int64
	for i, name := range []string{"onecall", "nethttp"} {
		var err error
		if _, sizes[i], err = b.build(ctx, module+"/internal/checks/benchmarks/size/"+name); err != nil {
			return nil, err
		}
	}
	const mib = 1 << 20
	return []row{{
		name: "stripped program of one call", value: float64(sizes[0]-sizes[1]) / mib, unit: "MiB above net/http", most: 1,
		remarks: fmt.Sprintf("%d and %d bytes", sizes[0], sizes[1]),
	}}, nil
}

// build builds a stripped program and returns its path and size.
func (b *bench) build(ctx context.Context, pkg string) (path string, size int64, err error) {
	path = filepath.Join(b.dir, filepath.Base(pkg))
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg).CombinedOutput() //nolint:gosec // a package of this project
	if err != nil {
		return "", 0, fmt.Errorf("building %s: %w: %s", pkg, err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return path, info.Size(), nil
}
