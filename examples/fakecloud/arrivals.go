package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/memfaulttest"
)

// What the page shows of the arrivals.
const (
	maxDevices  = 20 // that sent last
	maxMessages = 10 // of each of them
	minInterval = 200 * time.Millisecond
)

// arrivals decodes the chunks of each device as they arrive.
type arrivals struct {
	cloud *memfaulttest.Server

	mu      sync.Mutex
	devices []*sender     // the one that sent last is first
	changed chan struct{} // closed at the next change
}

// sender is a device that sends chunks.
type sender struct {
	Serial   string
	Chunks   int
	Software string    // that its last message names
	Messages []arrival // the newest is first

	assembler chunk.Assembler
	last      []byte // the chunk that was read last
}

// arrival is a message, or something that is damaged.
type arrival struct {
	Time    time.Time
	Text    string
	Lines   []string // of a log
	Damaged bool
}

func newArrivals(cloud *memfaulttest.Server) *arrivals {
	return &arrivals{cloud: cloud, changed: make(chan struct{})}
}

// watch reads the chunks of a device after each upload, whether the response reached it or not.
func (a *arrivals) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if serial, ok := strings.CutPrefix(r.URL.Path, "/api/v0/chunks/"); ok {
			defer a.read(serial)
		}
		next.ServeHTTP(w, r)
	})
}

// read decodes the chunks of a device that are new.
func (a *arrivals) read(serial string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	chunks := slices.DeleteFunc(a.cloud.Chunks(serial), func(data []byte) bool { return len(data) == 0 })
	i := slices.IndexFunc(a.devices, func(s *sender) bool { return s.Serial == serial })
	if i < 0 {
		if len(chunks) == 0 {
			return
		}
		a.devices = append(a.devices, &sender{Serial: serial})
		i = len(a.devices) - 1
	}
	s := a.devices[i]
	unread := s.unread(chunks)
	if len(unread) == 0 {
		return
	}
	a.devices = slices.Insert(slices.Delete(a.devices, i, i+1), 0, s)
	for _, data := range unread {
		s.add(data)
	}
	s.Chunks += len(unread)
	s.last = unread[len(unread)-1]
	close(a.changed)
	a.changed = make(chan struct{})
}

// unread returns the chunks after the one that was read last. The server drops the oldest chunks
// when it has too many, so their number does not say which are new. The chunks are not empty.
func (s *sender) unread(chunks [][]byte) [][]byte {
	for i, data := range slices.Backward(chunks) {
		if s.last != nil && &data[0] == &s.last[0] {
			return chunks[i+1:]
		}
	}
	return chunks
}

func (s *sender) add(data []byte) {
	m, err := s.assembler.Add(data)
	for _, damage := range chunk.Damages(err) {
		s.show(arrival{Text: strings.TrimPrefix(damage.Error(), "chunk: "), Damaged: true})
	}
	if m == nil {
		return
	}
	switch m.Type {
	case chunk.MessageCoredump:
		s.coredump(m)
	case chunk.MessageEvent, chunk.MessageLog, chunk.MessageRecording:
		s.events(m)
	default:
		s.show(arrival{Text: m.String()})
	}
}

func (s *sender) coredump(m *chunk.Message) {
	c, err := m.Coredump()
	if c != nil {
		s.setSoftware(c.DeviceSerial, c.SoftwareType, c.SoftwareVersion, c.HardwareVersion)
		s.show(arrival{Text: fmt.Sprintf("coredump %s, %d bytes", chunk.ReasonName(c.Reason), len(m.Payload))})
	}
	s.showProblem(err)
}

func (s *sender) events(m *chunk.Message) {
	events, err := m.Events()
	for _, event := range events {
		s.setSoftware(event.DeviceSerial, event.SoftwareType, event.SoftwareVersion, event.HardwareVersion)
		shown := arrival{Text: event.String()}
		for _, line := range event.Logs {
			shown.Lines = append(shown.Lines, line.String())
		}
		s.show(shown)
	}
	s.showProblem(err)
}

func (s *sender) showProblem(err error) {
	if err != nil {
		s.show(arrival{Text: strings.TrimPrefix(err.Error(), "chunk: "), Damaged: true})
	}
}

// setSoftware keeps what a message says about its device.
func (s *sender) setSoftware(serial, kind, version, hardware string) {
	s.Software = strings.TrimSpace(kind + " " + version)
	if hardware != "" {
		s.Software += " on " + hardware
	}
	if serial != "" && serial != s.Serial {
		s.Software += ", calls itself " + serial
	}
}

func (s *sender) show(shown arrival) {
	shown.Time = time.Now()
	s.Messages = slices.Insert(s.Messages, 0, shown)
	s.Messages = s.Messages[:min(len(s.Messages), maxMessages)]
}

// html returns the section of the page, and a channel that is closed when it changes.
func (a *arrivals) html() ([]byte, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body bytes.Buffer
	err := pageTemplate.ExecuteTemplate(&body, "arrivals", a.devices[:min(len(a.devices), maxDevices)])
	return body.Bytes(), a.changed, err
}

// live serves the section as server-sent events: now, and after each change.
func (a *arrivals) live() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		control := http.NewResponseController(w)
		for {
			body, changed, err := a.html()
			if err != nil {
				return // the page shows the error
			}
			for line := range bytes.Lines(body) {
				_, _ = fmt.Fprintf(w, "data: %s\n", bytes.TrimRight(line, "\r\n"))
			}
			_, _ = fmt.Fprint(w, "\n")
			if control.Flush() != nil {
				return // the browser is gone
			}
			select {
			case <-changed:
			case <-r.Context().Done():
				return
			}
			select { // a device that sends much must not keep the browser busy
			case <-time.After(minInterval):
			case <-r.Context().Done():
				return
			}
		}
	}
}
