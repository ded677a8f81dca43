package fakecloud

import (
	"io"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// handler returns the response of one operation. The mutex of the Cloud must be held.
type handler func(r *request) reply

// Handler returns a handler for the given hosts. Without arguments, it serves all hosts.
func (c *Cloud) Handler(roles ...operation.Host) http.Handler {
	mux := http.NewServeMux()
	for pattern, rows := range routes(roles) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, rows) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && r.Host == "" { // HTTP/1.0
			r.Host = addr.String()
		}
		if strings.HasPrefix(r.URL.Path, "/cdn/") {
			c.serveCDN(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, presignedPath) {
			c.servePresigned(w, r)
			return
		}
		if len(roles) == 1 && roles[0] == operation.NRFCloud {
			c.serveNRFCloud(w, r)
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" || !isClean(r) {
			c.serveUnknown(w, r, mux)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// alsoServed lists the operations that are known to work on other hosts too.
var alsoServed = map[*operation.Operation][]operation.Host{
	operation.ReleasesLatest:          {operation.API},
	operation.ReleasesLatestURL:       {operation.API},
	operation.EventsUpload:            {operation.Device},
	operation.UploadPrepareProjectKey: {operation.API, operation.Device},
	operation.UploadPrepareBasicAuth:  {operation.API},
	operation.UploadCommitMAR:         {operation.Device},
	operation.UploadCommitSymbols:     {operation.API},
	operation.UploadTraceImport:       {operation.Ingress},
}

// routes returns the operations that the hosts serve, by method and path. Two operations
// have the same method and path; see choose.
func routes(roles []operation.Host) map[string][]*operation.Operation {
	patterns := map[string][]*operation.Operation{}
	for _, op := range operation.All() {
		if op.Host != operation.Presigned && serves(roles, op) {
			pattern := op.Method + " " + op.Path
			patterns[pattern] = append(patterns[pattern], op)
		}
	}
	return patterns
}

func serves(roles []operation.Host, op *operation.Operation) bool {
	return len(roles) == 0 || slices.ContainsFunc(roles, func(role operation.Host) bool {
		return role == op.Host || slices.Contains(alsoServed[op], role)
	})
}

// choose returns the operation of a request. The commit of an uploaded coredump (files
// host, JSON) and the upload of a raw coredump (ingress host, bytes) have the same path and
// differ only in the content type.
func choose(rows []*operation.Operation, r *http.Request) *operation.Operation {
	if len(rows) > 1 && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return rows[1]
	}
	return rows[0]
}

func (c *Cloud) serve(w http.ResponseWriter, r *http.Request, rows []*operation.Operation) {
	op := choose(rows, r)
	record, done := c.begin(op, r)
	defer done()
	w = c.recordStatus(w, record)
	body, err := io.ReadAll(r.Body) // first, because net/http detects a closed connection only after that
	if err != nil {
		return
	}
	c.keepBody(record, body)
	fault := c.nextFault(op, r, body)
	replaced := func(status int) {
		c.replaced(op, r, body, status)
		done()
	}
	if !fault.replaces(w, r, replaced) {
		response := c.respond(newRequest(r, op, body))
		c.watchFailure(op, r, body, response.status)
		c.disturbed(op, r, response.status, fault.DropResponse || fault.CutBodyAfter != 0, false)
		done()
		fault.send(w, response)
	}
}

// replaced notes that a fault responded to a request instead of the operation. A status of 0
// means that there was no response.
func (c *Cloud) replaced(op *operation.Operation, r *http.Request, body []byte, status int) {
	c.watchFailure(op, r, body, status)
	c.disturbed(op, r, status, false, status/100 == 2)
	if status == http.StatusAccepted {
		c.logDropped(op, r)
	}
}

// respond does the checks that are common to all operations, and calls the handler.
func (c *Cloud) respond(r *request) reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	handle, ok := c.handlers[r.op]
	if !ok {
		return fail(http.StatusNotImplemented, "fakecloud does not serve "+r.op.Name)
	}
	for _, step := range []func(*request) (reply, bool){c.authenticate, c.resolveProject, checkTimes, checkNames} {
		if refused, ok := step(r); !ok {
			return refused
		}
	}
	return handle(r)
}

// isClean reports whether the path of a request has its shortest form. For any other path,
// ServeMux responds with a redirect; the fake cloud does not serve it.
func isClean(r *http.Request) bool { return path.Clean(r.URL.EscapedPath()) == r.URL.EscapedPath() }

// serveUnknown responds to a request that matches no operation: with 405 if the path exists
// for another method, otherwise with 404.
func (c *Cloud) serveUnknown(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	record, _ := c.begin(&operation.Operation{}, r)
	w = c.recordStatus(w, record)
	if credentialIn(r.Header) {
		c.violation("a credential was sent to " + r.Method + " " + r.URL.Path + ", which the fake Memfault does not serve there")
	}
	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
		if !isClean(r) {
			break
		}
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			failure(http.StatusMethodNotAllowed, 0, "MethodNotAllowed", "Method not allowed").write(w)
			return
		}
	}
	fail(http.StatusNotFound, "Not found").write(w)
}

// serveNRFCloud responds with 404, because the cloud does not serve nRF Cloud.
func (c *Cloud) serveNRFCloud(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(projectKeyHeader) != "" {
		c.violation("a project key was sent to nRF Cloud")
	}
	fail(http.StatusNotFound, "fakecloud does not serve nRF Cloud").write(w)
}

// resolveProject finds the project in the path. For an unknown slug it responds with 500.
//
// UNCERTAIN(unknown-slug-500): the author of one client reports that the real cloud does so.
func (c *Cloud) resolveProject(r *request) (reply, bool) {
	slug := r.PathValue("organization_slug")
	if slug == "" {
		return reply{}, true
	}
	org := c.organization(slug)
	if org == nil {
		return failure(http.StatusInternalServerError, 0, "InternalError", "Internal error"), false
	}
	if !r.credential.reaches(org) {
		return fail(http.StatusForbidden, "You do not have access to this organization"), false
	}
	if slug = r.PathValue("project_slug"); slug != "" {
		if r.project = org.project(slug); r.project == nil {
			return failure(http.StatusInternalServerError, 0, "InternalError", "Internal error"), false
		}
	}
	return reply{}, true
}
