package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

// What the fake Memfault contains from the start.
const (
	fleet      = 300 // devices, besides those of the chunks
	issues     = 10
	recordings = 8
	logEntries = 450
)

// cloud is the fake Memfault, in a process of its own. The credentials that it accepts change.
type cloud struct {
	fake *memfaulttest.Server

	mu    sync.Mutex
	valid validCredentials
}

// validCredentials are the credentials that are valid at present.
type validCredentials struct {
	Tokens []string `json:"tokens"`
	Keys   []string `json:"keys"`
}

// cloudState is the state of the fake Memfault at the end of the run.
type cloudState struct {
	Requests   int               `json:"requests"`
	Violations []string          `json:"violations"`
	Uploads    map[string]string `json:"uploads"` // MD5 by name
	Repeated   int               `json:"repeated"`
	Chunks     map[string][]int  `json:"chunks"`   // numbers by serial, in the order of arrival
	Webhooks   string            `json:"webhooks"` // why deliveries failed in all attempts
}

// serve runs the fake Memfault until standard input ends.
func serve(seed uint64, faults float64) error {
	fake, err := memfaulttest.Start()
	if err != nil {
		return err
	}
	fake.AcceptDamagedChunks() // the chunks are numbered texts
	defer fake.Close()
	c := &cloud{fake: fake}
	c.fill(seed)
	failAtRandom(fake, seed, faults)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
	if err != nil {
		return err
	}
	server := &http.Server{Handler: c.handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
	fmt.Println("http://" + listener.Addr().String())
	_, err = io.Copy(io.Discard, os.Stdin)
	_ = server.Close()
	return err
}

func (c *cloud) fill(seed uint64) {
	c.fake.SeedFleet(fleet)
	for i := range chunkDevices {
		c.fake.AddDevices(memfaulttest.Device{Serial: chunkSerial(i)})
	}
	for i := range issues {
		c.fake.AddIssues(memfaulttest.Issue{Title: fmt.Sprint("issue ", i)})
	}
	for i := range recordings {
		c.fake.AddRecordings(memfaulttest.Recording{
			DeviceSerial: "SINK-0001", Reason: fmt.Sprint(i), Start: time.Now(), End: time.Now(), Content: recordingContent(seed, i),
		})
	}
	for i := range logEntries {
		c.fake.AddProcessingLog(memfaulttest.ProcessingLogEntry{Fields: map[string]any{"number": i}})
	}
	c.fake.RejectChunks(func(chunk []byte) int {
		if strings.HasSuffix(string(chunk), badChunk) {
			return http.StatusBadRequest
		}
		return 0
	})
}

// recordingContent returns the content of a recording, which only depends on the seed.
func recordingContent(seed uint64, i int) []byte { return content(seed+uint64(i), 20_000<<i) } //nolint:gosec // a small number

// content returns random bytes, the same for the same seed.
func content(seed uint64, size int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	source := rand.NewChaCha8(key)
	bytes := make([]byte, size)
	_, _ = source.Read(bytes) // never fails
	return bytes
}

// failAtRandom makes a share of the requests fail, in every way that the client must tolerate.
func failAtRandom(fake *memfaulttest.Server, seed uint64, share float64) {
	if share <= 0 {
		return
	}
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same faults for the same seed
	fail := func(share float64, fault memfaulttest.Fault) {
		fault.Share, fault.Seed = min(share*(0.5+random.Float64()), 0.9), random.Uint64()
		fake.Fail(fault)
	}
	fail(share, memfaulttest.Fault{Operation: "custom_data_recordings.download", CutBodyAfter: 1 + random.IntN(60_000)})
	fail(share/4, memfaulttest.Fault{Operation: "chunks.upload", Status: http.StatusInternalServerError})
	each := share / 7
	fail(each, memfaulttest.Fault{Status: http.StatusServiceUnavailable})
	fail(each, memfaulttest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "0"})
	fail(each, memfaulttest.BadGateway())
	fail(each, memfaulttest.Fault{Drop: true})
	fail(each, memfaulttest.Fault{DropResponse: true})
	fail(each, memfaulttest.Fault{CutBodyAfter: 1 + random.IntN(200)})
	fail(each, memfaulttest.Fault{Delay: time.Duration(1+random.IntN(100)) * time.Millisecond})
}

func (c *cloud) handler() http.Handler {
	mux, fake := http.NewServeMux(), c.fake.Handler()
	mux.HandleFunc("POST /soak/credentials", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := json.NewDecoder(r.Body).Decode(&c.valid); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("POST /soak/webhook", func(_ http.ResponseWriter, r *http.Request) {
		c.fake.SubscribeWebhook(r.URL.Query().Get("url"), r.URL.Query().Get("secret"))
	})
	mux.HandleFunc("GET /soak/state", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(c.state(r)) // the other process may be gone
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.translate(r.Header)
		fake.ServeHTTP(w, r)
	})
	return mux
}

// translate replaces a valid credential by that of the fake. Other credentials remain, and the
// fake rejects them.
func (c *cloud) translate(header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token, ok := strings.CutPrefix(header.Get("Authorization"), "Bearer "); ok && slices.Contains(c.valid.Tokens, token) {
		header.Set("Authorization", "Bearer "+c.fake.OrganizationToken())
	}
	if slices.Contains(c.valid.Keys, header.Get("Memfault-Project-Key")) {
		header.Set("Memfault-Project-Key", c.fake.ProjectKey())
	}
}

func (c *cloud) state(r *http.Request) cloudState {
	s := cloudState{Uploads: map[string]string{}, Chunks: map[string][]int{}}
	if err := c.fake.WaitForWebhooks(r.Context()); err != nil {
		s.Webhooks = err.Error()
	}
	for _, upload := range c.fake.Uploads() {
		if s.Uploads[upload.Name] != "" {
			s.Repeated++
		}
		s.Uploads[upload.Name] = upload.MD5
	}
	for i := range chunkDevices {
		serial := chunkSerial(i)
		for _, chunk := range c.fake.Chunks(serial) {
			s.Chunks[serial] = append(s.Chunks[serial], chunkNumber(serial, string(chunk)))
		}
	}
	s.Violations, s.Requests = c.fake.Violations(), c.fake.RequestCount("")
	return s
}
