package web

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// hub notifies the open pages of the sections that have changed.
type hub struct {
	started int64 // distinguishes the revisions of this process from those of an earlier one

	mu     sync.Mutex
	pages  map[*openPage]struct{}
	closed chan struct{}
}

// openPage is a page that listens. Its pending changes are a set, so that a slow browser costs
// no memory.
type openPage struct {
	changed []string      // a set
	signal  chan struct{} // has room for one
}

func newHub() *hub {
	return &hub{started: time.Now().UnixNano(), pages: map[*openPage]struct{}{}, closed: make(chan struct{})}
}

func (h *hub) publish(section string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for page := range h.pages {
		if !slices.Contains(page.changed, section) {
			page.changed = append(page.changed, section)
		}
		select {
		case page.signal <- struct{}{}:
		default:
		}
	}
}

func (h *hub) open() *openPage {
	page := &openPage{signal: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pages[page] = struct{}{}
	return page
}

func (h *hub) leave(page *openPage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pages, page)
}

// take returns the changes since the last call.
func (h *hub) take(page *openPage) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := page.changed
	page.changed = nil
	return changed
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
}

const (
	heartbeat = 15 * time.Second // shorter than the limits of usual proxies
	burst     = 200 * time.Millisecond
)

// serveEvents streams the names of changed sections as server-sent events, at most five times
// a second.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	page := s.hub.open()
	defer s.hub.leave(page)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // for nginx
	stream := http.NewResponseController(w)
	send := func(format string, args ...any) bool {
		_ = stream.SetWriteDeadline(time.Now().Add(heartbeat))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && stream.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		sent := true
		select {
		case <-r.Context().Done():
			return
		case <-s.hub.closed:
			return
		case <-ticker.C:
			sent = send(": still here\n\n")
		case <-page.signal:
			for _, name := range s.hub.take(page) {
				sent = sent && send("event: changed\ndata: %s\n\n", name)
			}
			time.Sleep(burst)
		}
		if !sent {
			return
		}
	}
}
