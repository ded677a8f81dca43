package intake

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/limit"
)

// maxParts limits the chunks of a request.
const maxParts = 1000

// DefaultTenant is the prefix of the tenant that POST /chunks/{serial} belongs to.
const DefaultTenant = "memfault"

// Handler returns the handler of chunks:
//
//   - POST /chunks/{serial} for the tenant with the prefix "memfault";
//   - POST /tenants/{tenant}/chunks/{serial} for the others;
//   - POST /api/v0/chunks/{serial}, as devices send to Memfault, for the tenant whose project
//     key is in the header Memfault-Project-Key.
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
	mux.HandleFunc("POST /api/v0/chunks/{serial}", func(w http.ResponseWriter, r *http.Request) {
		tenant, known := i.config.Tenants.ByKey(r.Header.Get(keyHeader))
		if !known {
			i.respond(w, "", &Refusal{Reason: Unauthorized})
			return
		}
		i.serve(w, r, tenant)
	})
	return mux
}

// keyHeader is the header of the project key in requests of devices to Memfault.
const keyHeader = "Memfault-Project-Key"

func (i *Intake) serve(w http.ResponseWriter, r *http.Request, tenant string) {
	known := tenant
	if !i.config.Tenants.Has(tenant) {
		known = "" // a label must not be what a stranger chooses
	}
	request := i.config.Budget.Begin()
	if request == nil {
		i.respond(w, known, &Refusal{Reason: Busy})
		return
	}
	defer request.End()
	if refusal := i.check("http", credentials(r), tenant, r.PathValue("serial")); refusal != nil {
		respond(w, refusal)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, int64(i.config.MaxChunk)*16+1<<20)
	chunks, refusal := i.chunks(r, request)
	if refusal != nil {
		i.respond(w, known, refusal)
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

// credentials returns what a request presents.
func credentials(r *http.Request) auth.Credentials {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return auth.Credentials{Certificate: auth.Certificate(r.TLS), Token: token, ProjectKey: r.Header.Get(keyHeader)}
}

// chunks returns the chunks of a request. All are read before the first is stored.
func (i *Intake) chunks(r *http.Request, request *limit.Request) ([][]byte, *Refusal) {
	var body io.Reader = &counted{r.Body, request}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "base64": // a webhook template of a first party sends it
		body = base64.NewDecoder(base64.StdEncoding, body)
	default:
		return nil, &Refusal{Reason: Unsupported, cause: errors.New("Content-Encoding must be base64 or identity")}
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" {
		kind, err = "application/octet-stream", nil
	}
	switch {
	case err != nil || kind == "multipart/mixed" && params["boundary"] == "":
		return nil, &Refusal{Reason: Malformed, cause: errors.New("invalid Content-Type")}
	case kind == "application/octet-stream":
		chunk, refusal := i.read(body)
		return [][]byte{chunk}, refusal
	case kind == "multipart/mixed":
		return i.parts(multipart.NewReader(body, params["boundary"]))
	}
	return nil, &Refusal{Reason: Unsupported, cause: errors.New("Content-Type must be application/octet-stream or multipart/mixed")}
}

// counted counts what is read from a body.
type counted struct {
	body    io.Reader
	request *limit.Request
}

var errBusy = errors.New("the bodies of all requests need too much memory")

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.body.Read(b)
	if !c.request.Take(n) {
		return 0, errBusy
	}
	return n, err
}

func (i *Intake) parts(parts *multipart.Reader) ([][]byte, *Refusal) {
	var chunks [][]byte
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
	if errors.Is(err, errBusy) {
		return &Refusal{Busy, err}
	}
	return &Refusal{Malformed, err}
}

// respond counts a refusal and sends it.
func (i *Intake) respond(w http.ResponseWriter, tenant string, refusal *Refusal) {
	i.refused("http", tenant, refusal.Reason)
	respond(w, refusal)
}

// respond sends the device the reason why its chunk was not stored, and when to retry.
func respond(w http.ResponseWriter, refusal *Refusal) {
	status, wait := http.StatusBadRequest, ""
	switch refusal.Reason {
	case Full, TenantFull:
		status, wait = http.StatusServiceUnavailable, "30"
	case DeviceFull:
		status, wait = http.StatusTooManyRequests, "30"
	case Unavailable, Closing, Busy:
		status, wait = http.StatusServiceUnavailable, "5"
	case UnknownTopic:
		status = http.StatusNotFound
	case TooLarge:
		status = http.StatusRequestEntityTooLarge
	case Unsupported:
		status = http.StatusUnsupportedMediaType
	case Unauthorized:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", "Bearer")
	case OtherDevice:
		status = http.StatusForbidden
	}
	if wait != "" {
		w.Header().Set("Retry-After", wait)
	}
	http.Error(w, refusal.Error(), status)
}
