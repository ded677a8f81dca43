// Package fakecloud is a fake Memfault that keeps its state in memory and serves it on
// loopback. It needs no network and no account. It behaves as the real cloud is known to
// behave, contradictions included, and is as strict. On request it fails; see [Cloud.Fail].
// Where facts are missing, it decides against the client, and a comment is marked with
// UNCERTAIN.
//
// Data that it accepts has consequences immediately: unknown devices appear, coredumps and
// imported traces become traces and issues, recordings can be downloaded, and deployed releases
// are offered to devices. It decodes the chunks of firmware with package chunk, but neither unwinds
// stacks nor reads variables, MARs, ELF coredumps and compact logs. It keeps uploaded files above
// 1 MiB in temporary files, and limits what it remembers of requests, of chunks and of their
// content; see [Cloud.Requests], [Cloud.Chunks] and [Cloud.Messages].
//
// Each operation of package operation has one handler here. The package does not invent
// details that are unknown outside Memfault: if the code and the type of an error are
// unknown, its response contains neither.
package fakecloud

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Organization, user, credentials and default project of a cloud that [New] returns.
const (
	Organization = "acme"
	Project      = "smart-sink"
	Email        = "jane@acme.example"
	Password     = "correct horse battery staple"
	APIKey       = "5f1d7a9c0b3e4862a7d4c1e0f9b82635"     //nolint:gosec // opens nothing but the fake
	OrgToken     = "oat_8c1f0e5a7b2d49c6a3f4e1d2c3b4a596" //nolint:gosec // opens nothing but the fake
	ProjectKey   = "d3b07384d113edec49eaa6238ad5ff00"     //nolint:gosec // opens nothing but the fake
)

// Cloud is a fake Memfault. Create it with [New]. Its methods are safe for concurrent use
// by multiple goroutines.
type Cloud struct {
	mu     sync.Mutex
	now    func() time.Time
	lastID int64

	users         []*user
	organizations []*organization
	seeded        *project // the default project, even if a request deleted it
	handlers      map[*operation.Operation]handler
	tasks         map[string][]string // by ID; the statuses that remain, the current one first

	faults       []*activeFault
	rejectChunk  func(chunk []byte) (status int)
	watch        chunkWatch
	chunkOrder   []keptChunk // the devices of the kept chunks, the oldest chunk first
	chunkBytes   int         // bytes of the kept chunks
	messageOrder []keptChunk // the devices of the kept messages, the oldest message first
	messageBytes int         // bytes of the kept messages
	maxChunks    int

	acceptDamaged bool // whether damaged chunks are no violation

	ignoreRanges bool
	recorder     recorder
	uploads      uploads

	webhooks       webhooks
	webhookProject *project // whose events are delivered; nil without a subscription
}

type user struct {
	id              int64
	email, name     string
	password, key   string
	organizations   []*organization
	created, edited time.Time
}

type organization struct {
	id         int64
	name, slug string
	token      string
	projects   []*project
}

// New returns a cloud with one organization, one user who administers it, one organization
// token, and one project, the default project. The project has the cohort "default" and no
// devices.
func New() *Cloud {
	c := &Cloud{now: time.Now, watch: newChunkWatch(), maxChunks: maxChunks}
	c.handlers = c.allHandlers()
	org := c.addOrganization("Acme", Organization, OrgToken)
	c.users = []*user{{
		id: c.newID(), email: Email, name: "Jane Doe", password: Password, key: APIKey,
		organizations: []*organization{org}, created: c.now(), edited: c.now(),
	}}
	c.seeded = c.addProject(org, "Smart Sink", Project)
	c.seeded.key = ProjectKey
	return c
}

// SetClock sets the function from which the cloud takes the time. It is time.Now by default.
func (c *Cloud) SetClock(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// AddOrganization adds an organization with one project. Both have the given slug. It
// returns the organization token.
func (c *Cloud) AddOrganization(slug string) (token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	token = "oat_" + randomHex()
	c.addProject(c.addOrganization(slug, slug, token), slug, slug)
	return token
}

func (c *Cloud) addOrganization(name, slug, token string) *organization {
	org := &organization{id: c.newID(), name: name, slug: slug, token: token}
	c.organizations = append(c.organizations, org)
	return org
}

func (c *Cloud) newID() int64 {
	c.lastID++
	return c.lastID
}

func (c *Cloud) organization(slug string) *organization {
	for _, org := range c.organizations {
		if org.slug == slug {
			return org
		}
	}
	return nil
}

func (o *organization) project(slug string) *project {
	for _, p := range o.projects {
		if p.slug == slug {
			return p
		}
	}
	return nil
}

// ProjectID returns the ID of the default project.
func (c *Cloud) ProjectID() int64 { return c.seeded.id }

// randomHex returns 128 random bits.
func randomHex() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func newUUID() string { return uuid(randomHex()) }

// newUUID returns a UUID that is the same from run to run.
func (c *Cloud) newUUID() string { return uuid(fmt.Sprintf("%032x", c.newID())) }

func uuid(h string) string {
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// stamp is a time in the format of the API's responses: with an offset instead of Z, and
// null if it is zero.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.999999-07:00"`)), nil
}

// Serves reports whether the cloud serves an operation, either with a handler or, for
// presigned URLs, with servePresigned.
func (c *Cloud) Serves(op *operation.Operation) bool {
	_, ok := c.handlers[op]
	return ok || op.Host == operation.Presigned
}
