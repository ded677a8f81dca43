package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/memfault-go/memfault"
)

const (
	latency = 50 * time.Millisecond // of a request that does not hang
	begins  = 5 * time.Minute       // after the start of a run: when the devices become sick
)

// fault is what happens to a request of a sick device.
type fault func(req *http.Request, n int) (*http.Response, error)

func status(code int, header ...string) fault {
	return func(*http.Request, int) (*http.Response, error) { return response(code, header...), nil }
}

func lost(*http.Request, int) (*http.Response, error) { return nil, errors.New("connection reset") }

func hang(req *http.Request, _ int) (*http.Response, error) {
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case <-time.After(time.Minute):
		return nil, errors.New("no response for a minute")
	}
}

// mixed is one fault after the other.
func mixed(faults ...fault) fault {
	return func(req *http.Request, n int) (*http.Response, error) { return faults[n%len(faults)](req, n) }
}

func response(code int, header ...string) *http.Response {
	resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// fleet is devices that send a chunk after each interval through one sender, and the service
// that receives them. Some of the devices are sick for a while.
type fleet struct {
	sick, healthy int
	interval      time.Duration
	fault         fault
	start         time.Duration // of the faults, after the start of the run
	length        time.Duration // of the faults
	tail          time.Duration // of the run after the faults
	learning      time.Duration // after the start of the faults; chunks sent meanwhile are not measured
	seed          uint64

	mu       sync.Mutex
	began    time.Time
	requests int             // of sick devices, during the faults
	inFlight int             // accepted ones
	fullAt   time.Duration   // after the end of the faults: 50 requests in flight
	lastAt   time.Duration   // when a healthy chunk was accepted last
	silence  time.Duration   // the longest time without one
	waits    []time.Duration // of measured chunks of healthy devices
	lateAt   time.Duration   // after the start of the faults: when the last chunk was sent that waited for more than 5 s
	waiting  map[*sentChunk]struct{}
}

type sentChunk struct{ at time.Duration }

// result is what a run has measured.
type result struct {
	p50, p99, most time.Duration // waits of healthy chunks
	late           float64       // share of them that was not accepted
	silence        time.Duration
	requests       int
	full, lateAt   time.Duration
}

func (f *fleet) now() time.Duration { return time.Since(f.began) }

// failing reports whether a sick device fails at a time.
func (f *fleet) failing(at time.Duration) bool { return at >= f.start && at < f.start+f.length }

// RoundTrip is the service.
func (f *fleet) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	serial := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	number, err := strconv.Atoi(serial)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	if at := f.now(); number < f.sick && f.failing(at) {
		f.requests++
		n := f.requests
		f.mu.Unlock()
		time.Sleep(latency)
		return f.fault(req, n)
	}
	f.inFlight++
	if at := f.now() - f.start - f.length; at >= 0 && f.inFlight >= 50 && f.fullAt == 0 {
		f.fullAt = at
	}
	f.mu.Unlock()
	time.Sleep(latency)
	f.mu.Lock()
	f.inFlight--
	f.mu.Unlock()
	return response(http.StatusAccepted), nil
}

// run runs the fleet. It must be called in a bubble of testing/synctest.
func (f *fleet) run() (result, error) {
	f.began, f.waiting = time.Now(), map[*sentChunk]struct{}{}
	client, err := memfault.NewClient(memfault.ProjectKey("key"), memfault.WithHTTPClient(&http.Client{Transport: f}))
	if err != nil {
		return result{}, err
	}
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	ctx := context.Background()
	order := rand.New(rand.NewPCG(f.seed, 0)).Perm(f.sick + f.healthy) //nolint:gosec // a fixed order
	end := f.start + f.length + f.tail
	f.lastAt = f.start
	for at := time.Duration(0); at < end; at += f.interval {
		for i, number := range order {
			time.Sleep(at + f.interval*time.Duration(i)/time.Duration(len(order)) - f.now())
			if err := f.send(ctx, sender, number); err != nil && !errors.Is(err, memfault.ErrDeviceFull) {
				return result{}, fmt.Errorf("a chunk of %d: %w", number, err)
			}
		}
	}
	time.Sleep(end - f.now())
	measured := f.result()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_ = sender.Close(ended) // the sick devices have chunks
	return measured, nil
}

func (f *fleet) send(ctx context.Context, sender *memfault.ChunkSender, number int) error {
	if number < f.sick {
		return sender.Send(ctx, strconv.Itoa(number), []byte{1}, nil)
	}
	chunk := &sentChunk{f.now()}
	f.mu.Lock()
	if f.measures(chunk) {
		f.waiting[chunk] = struct{}{}
	}
	f.mu.Unlock()
	return sender.Send(ctx, strconv.Itoa(number), []byte{1}, func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err == nil {
			f.accepted(chunk)
		}
	})
}

// measures reports whether a chunk is sent while the waits of healthy devices are measured.
func (f *fleet) measures(chunk *sentChunk) bool {
	return f.failing(chunk.at) && chunk.at >= f.start+f.learning
}

func (f *fleet) accepted(chunk *sentChunk) {
	at := f.now()
	if f.failing(at) {
		f.silence = max(f.silence, at-max(f.lastAt, f.start))
	}
	f.lastAt = at
	if f.failing(chunk.at) && at-chunk.at > 5*time.Second {
		f.lateAt = max(f.lateAt, chunk.at-f.start)
	}
	if f.measures(chunk) {
		f.waits = append(f.waits, at-chunk.at)
		delete(f.waiting, chunk)
	}
}

func (f *fleet) result() result {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tail == 0 {
		f.silence = max(f.silence, f.now()-f.lastAt)
	}
	late := len(f.waiting)
	for chunk := range f.waiting {
		f.waits = append(f.waits, f.now()-chunk.at)
	}
	r := result{silence: f.silence, requests: f.requests, full: f.fullAt, lateAt: f.lateAt}
	if n := len(f.waits); n > 0 {
		slices.Sort(f.waits)
		r.p50, r.p99, r.most = f.waits[n/2], f.waits[n*99/100], f.waits[n-1]
		r.late = float64(late) / float64(n)
	}
	return r
}
