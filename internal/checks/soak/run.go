package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/process"
	"github.com/memfault-go/memfault/memfaulttest"
)

// soak is one run. Its workers use the client at the same time.
type soak struct {
	seed    uint64
	url     string
	project memfault.ProjectRef
	client  *memfault.Client // with a token that changes
	gateway *memfault.Client // with a project key that changes
	ledger  *ledger

	credentials credentials
	devices     []*chunkDevice
	uploads     uploadLedger
	webhooks    webhookLedger
}

// run starts the fake Memfault and the workers, and prints the ledger.
func run(ctx context.Context, duration time.Duration, seed uint64, faults float64, out io.Writer) error {
	printf(out, "seed %d, %v\n", seed, duration)
	ctx, cancel := context.WithTimeout(ctx, duration+3*time.Minute) // so that nothing hangs
	defer cancel()
	before := runtime.NumGoroutine()
	url, stop, err := process.StartSelf(ctx, "-serve", "-seed", fmt.Sprint(seed), "-faults", fmt.Sprint(faults))
	if err != nil {
		return err
	}
	defer stop()
	s, err := newSoak(seed, url)
	if err != nil {
		return err
	}
	receiver, err := s.receiveWebhooks(ctx)
	if err != nil {
		return err
	}
	defer receiver.Close() //nolint:errcheck // it is closed already, unless something failed
	used := s.work(ctx, duration)
	if err := s.settle(ctx); err != nil {
		return err
	}
	_ = receiver.Close()
	stop()
	printf(out, "ledger\n")
	compareUsage(out, s.ledger, used)
	left := waitForGoroutines(ctx, before)
	printf(out, "  goroutines before and after: %d, %d\n", before, left)
	s.ledger.broke(promiseGrowth, max(left-before, 0), "%d goroutines before, %d after", before, left)
	if ctx.Err() != nil {
		s.ledger.broke(promiseCalls, 1, "%v", context.Cause(ctx))
	}
	return s.ledger.report(out)
}

func newSoak(seed uint64, url string) (*soak, error) {
	s := &soak{
		seed: seed, url: url, project: new(memfaulttest.Server).Project(), ledger: newLedger(),
		uploads: uploadLedger{sums: map[string]string{}}, webhooks: newWebhookLedger(),
	}
	s.credentials.use(1)
	options := []memfault.Option{
		memfault.WithBaseURL(url), memfault.WithRetry(memfault.RetryPolicy{MinWait: 5 * time.Millisecond, MaxWait: 2 * time.Second}),
	}
	var err error
	if s.client, err = memfault.NewClient(memfault.OrganizationTokenFunc(s.credentials.token), options...); err != nil {
		return nil, err
	}
	if s.gateway, err = memfault.NewClient(memfault.ProjectKeyFunc(s.credentials.key), options...); err != nil {
		return nil, err
	}
	for i := range chunkDevices {
		s.devices = append(s.devices, &chunkDevice{serial: chunkSerial(i), rejected: map[int]bool{}})
	}
	return s, nil
}

// work runs all workers for a while, and returns the usage of the process during that time.
func (s *soak) work(ctx context.Context, duration time.Duration) []usage {
	running, stop := context.WithTimeout(ctx, duration)
	defer stop()
	var workers sync.WaitGroup
	workers.Go(func() { s.sendChunks(ctx, running) })
	workers.Go(func() { s.rotate(ctx, running, duration) })
	for name, step := range map[string]func(context.Context, *rand.Rand, int){
		"get": s.getDevice, "list": s.listDevices, "cursor": s.readLog, "upload": s.upload, "download": s.download,
		"device": s.updateDevice, "cohort": s.ensureCohort, "issue": s.resolveIssue,
	} {
		for i := range 2 {
			random := s.random(name, i)
			workers.Go(func() {
				for n := i; running.Err() == nil && ctx.Err() == nil; n += 2 {
					step(ctx, random, n)
					sleep(running, time.Duration(20+random.IntN(200))*time.Millisecond)
				}
			})
		}
	}
	used := sample(running, duration, s.ledger)
	workers.Wait()
	return used
}

// random returns the random numbers of a worker.
func (s *soak) random(name string, i int) *rand.Rand {
	hash := fnv.New64a()
	_, _ = fmt.Fprint(hash, name, i)
	return rand.New(rand.NewPCG(s.seed, hash.Sum64())) //nolint:gosec // the same numbers for the same seed
}

// repeat makes a call at most 30 times, until it succeeds or fails in a way that cannot pass. It
// reports whether the call succeeded in the end.
func (s *soak) repeat(ctx context.Context, what string, call func() error) bool {
	for range 30 {
		err := call()
		if err == nil {
			s.ledger.did(what)
			return true
		}
		if !canPass(err) {
			s.ledger.broke(promiseCalls, 1, "%s: %v", what, err)
			return false
		}
		s.ledger.failed(what)
		sleep(ctx, 20*time.Millisecond)
	}
	s.ledger.broke(promiseCalls, 1, "%s: failed too often", what)
	return false
}

// canPass reports whether a failure is of a kind that the fake produces at random.
func canPass(err error) bool {
	return errors.Is(err, memfault.ErrNoAnswer) || errors.Is(err, memfault.ErrUnavailable) || errors.Is(err, memfault.ErrRateLimited)
}

// settle compares the ledgers of all workers with the state of the cloud.
func (s *soak) settle(ctx context.Context) error {
	var state cloudState
	if err := s.control(ctx, http.MethodGet, "/soak/state", nil, &state); err != nil {
		return err
	}
	s.ledger.add("requests that the cloud received", state.Requests)
	s.ledger.add("files that arrived again", state.Repeated)
	for _, violation := range state.Violations {
		s.ledger.broke(promiseViolation, 1, "%s", violation)
	}
	for _, d := range s.devices {
		d.settle(s.ledger, state.Chunks[d.serial])
	}
	s.uploads.settle(s.ledger, state.Uploads)
	s.webhooks.settle(s.ledger, state.Webhooks)
	return nil
}

// control sends a request that controls the fake Memfault.
func (s *soak) control(ctx context.Context, method, path string, body, out any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, resp.StatusCode)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// waitForGoroutines waits until there are no more goroutines than before, but not for long.
func waitForGoroutines(ctx context.Context, before int) int {
	http.DefaultClient.CloseIdleConnections()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			break
		}
		sleep(ctx, 50*time.Millisecond)
	}
	return runtime.NumGoroutine()
}
