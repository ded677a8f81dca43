package intake

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// maxParts limits the chunks of a request.
const maxParts = 1000

// DefaultTenant is the prefix of the tenant that POST /chunks/{serial} belongs to.
const DefaultTenant = "memfault"

// Handler returns the handler of chunks:
//
//   - POST /chunks/{serial} for the tenant with the prefix "memfault";
//   - POST /tenants/{tenant}/chunks/{serial} for the others.
//
// The body is a chunk, or multipart/mixed with several. The response is 202 after all are
// stored. Otherwise chunks at the start of the body may be stored, and the device should send
// all again.
func (i *Intake) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /chunks/{serial}", func(w http.ResponseWriter, r *http.Request) {
		tenant, _ := i.config.Tenants.ByPrefix(DefaultTenant)
		i.serve(w, r, tenant)
	})
	mux.HandleFunc("POST /tenants/{tenant}/chunks/{serial}", func(w http.ResponseWriter, r *http.Request) {
		i.serve(w, r, r.PathValue("tenant"))
	})
	return mux
}

func (i *Intake) serve(w http.ResponseWriter, r *http.Request, tenant string) {
	known := tenant
	if !i.config.Tenants.Has(tenant) {
		known = "" // a label must not be what a stranger chooses
	}
	r.Body = http.MaxBytesReader(w, r.Body, int64(i.config.MaxChunk)*16+1<<20)
	chunks, refusal := i.chunks(r)
	if refusal != nil {
		i.refused("http", known, refusal.Reason)
		respond(w, refusal)
		return
	}
	for _, chunk := range chunks {
		if refusal := i.accept(r.Context(), "http", known, r.PathValue("serial"), chunk); refusal != nil {
			respond(w, refusal)
			return
		}
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "Accepted\n") // the device may be gone
}

// chunks returns the chunks of a request. All are read before the first is stored.
func (i *Intake) chunks(r *http.Request) ([][]byte, *Refusal) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" {
		kind, err = "application/octet-stream", nil
	}
	if err != nil || kind == "multipart/mixed" && params["boundary"] == "" {
		return nil, &Refusal{Reason: Malformed, cause: errors.New("invalid Content-Type")}
	}
	if kind != "multipart/mixed" {
		chunk, refusal := i.read(r.Body)
		return [][]byte{chunk}, refusal
	}
	var chunks [][]byte
	parts := multipart.NewReader(r.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, readError(err)
		}
		if len(chunks) == maxParts {
			return nil, &Refusal{Reason: TooLarge, cause: fmt.Errorf("more than %d chunks", maxParts)}
		}
		chunk, refusal := i.read(part)
		if refusal != nil {
			return nil, refusal
		}
		if len(chunk) == 0 {
			return nil, &Refusal{Reason: Empty, cause: fmt.Errorf("part %d", len(chunks)+1)}
		}
		chunks = append(chunks, chunk)
	}
	if len(chunks) == 0 {
		return nil, &Refusal{Reason: Empty, cause: errors.New("no parts")}
	}
	return chunks, nil
}

func (i *Intake) read(body io.Reader) ([]byte, *Refusal) {
	chunk, err := io.ReadAll(io.LimitReader(body, int64(i.config.MaxChunk)+1))
	if err != nil {
		return nil, readError(err)
	}
	if len(chunk) > i.config.MaxChunk {
		return nil, &Refusal{Reason: TooLarge, cause: fmt.Errorf("more than %d bytes", i.config.MaxChunk)}
	}
	return chunk, nil
}

func readError(err error) *Refusal {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Refusal{TooLarge, err}
	}
	return &Refusal{Malformed, err}
}

// respond sends the device the reason why its chunk was not stored, and when to retry.
func respond(w http.ResponseWriter, refusal *Refusal) {
	status := map[Reason]int{
		Full: http.StatusServiceUnavailable, TenantFull: http.StatusServiceUnavailable, Unavailable: http.StatusServiceUnavailable, Closing: http.StatusServiceUnavailable,
		DeviceFull: http.StatusTooManyRequests, UnknownTopic: http.StatusNotFound, TooLarge: http.StatusRequestEntityTooLarge,
	}[refusal.Reason]
	if status == 0 {
		status = http.StatusBadRequest
	}
	if refusal.Temporary() {
		wait := "5"
		if refusal.Reason == Full || refusal.Reason == DeviceFull || refusal.Reason == TenantFull {
			wait = "30"
		}
		w.Header().Set("Retry-After", wait)
	}
	http.Error(w, refusal.Error(), status)
}
