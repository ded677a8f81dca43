// Package tenants contains the project keys of the tenants of a relay, and maps topics and
// paths to tenants.
package tenants

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Tenant is a Memfault project whose devices the relay serves.
type Tenant struct {
	Name       string `json:"name"`        // letters, digits, "-" and "_"
	Prefix     string `json:"prefix"`      // of topics: prefix/SERIAL/chunk
	ProjectKey string `json:"project_key"` // of the project
	// StoreShare is the part of the store that the tenant may fill, from 0 to 1. 0 is an equal
	// part for each tenant.
	StoreShare float64 `json:"store_share"`
	// TokenSecrets are the secrets of the tokens of its devices. A token by any of them is
	// valid, so that secrets can be replaced one after the other.
	TokenSecrets []string `json:"token_secrets"`
}

// leastSecret is the least length of a secret. Who has a token can try secrets.
const leastSecret = 16

var name = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,64}$`)

// serial matches the serials that the API accepts.
var serial = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,128}$`)

// ValidSerial reports whether the API accepts the serial of a device.
func ValidSerial(s string) bool { return serial.MatchString(s) }

// Set contains the tenants. It is safe for concurrent use by multiple goroutines. Create it
// with [New] or [Load].
type Set struct {
	mu       sync.RWMutex
	byName   map[string]Tenant
	byPrefix map[string]string
	changed  chan struct{}
	checks   []func(Tenant) error
}

// New returns a [Set].
func New(tenants []Tenant) (*Set, error) {
	s := &Set{changed: make(chan struct{})}
	return s, s.replace(tenants)
}

// Load reads the tenants from a file: {"tenants": [{"name", "prefix", "project_key"}]}.
func Load(path string) (*Set, error) {
	s := &Set{changed: make(chan struct{})}
	return s, s.Reload(path)
}

// Reload reads the file again. If it is invalid, the tenants stay as they are.
func (s *Set) Reload(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses the file
	if err != nil {
		return fmt.Errorf("relay: tenants: %w", err)
	}
	var file struct {
		Tenants []Tenant `json:"tenants"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		// The error may quote the file, which contains keys.
		return fmt.Errorf("relay: tenants: %s is not valid JSON of the expected form", path)
	}
	return s.replace(file.Tenants)
}

func (s *Set) replace(tenants []Tenant) error {
	byName, byPrefix := map[string]Tenant{}, map[string]string{}
	for _, t := range tenants {
		switch {
		case !name.MatchString(t.Name):
			return fmt.Errorf("relay: tenants: invalid name %q", t.Name)
		case t.Prefix == "" || strings.ContainsAny(t.Prefix, "+#$") || strings.HasPrefix(t.Prefix, "/") || strings.HasSuffix(t.Prefix, "/"):
			return fmt.Errorf("relay: tenants: invalid prefix %q of %s", t.Prefix, t.Name)
		case t.ProjectKey == "":
			return fmt.Errorf("relay: tenants: project_key of %s must not be empty", t.Name)
		case t.StoreShare < 0 || t.StoreShare > 1:
			return fmt.Errorf("relay: tenants: store_share of %s must be from 0 to 1", t.Name)
		case slices.ContainsFunc(t.TokenSecrets, func(secret string) bool { return len(secret) < leastSecret }):
			return fmt.Errorf("relay: tenants: each of token_secrets of %s must have at least %d characters", t.Name, leastSecret)
		case byName[t.Name].Name != "" || byPrefix[t.Prefix] != "":
			return fmt.Errorf("relay: tenants: duplicate name or prefix of %s", t.Name)
		}
		byName[t.Name], byPrefix[t.Prefix] = t, t.Name
	}
	if len(byName) == 0 {
		return errors.New("relay: tenants: at least one tenant is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, check := range s.checks {
		if err := all(byName, check); err != nil {
			return err
		}
	}
	s.byName, s.byPrefix = byName, byPrefix
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// Require checks all tenants now, and those of each later Reload. A check must not call methods
// of the set.
func (s *Set) Require(check func(Tenant) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := all(s.byName, check); err != nil {
		return err
	}
	s.checks = append(s.checks, check)
	return nil
}

func all(tenants map[string]Tenant, check func(Tenant) error) error {
	for _, t := range tenants {
		if err := check(t); err != nil {
			return fmt.Errorf("relay: tenants: %s: %w", t.Name, err)
		}
	}
	return nil
}

// Len returns the number of tenants.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byName)
}

// TokenSecrets returns the secrets of the tokens of a tenant.
func (s *Set) TokenSecrets(tenant string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[tenant].TokenSecrets
}

// AnySecret reports whether a tenant has secrets of tokens.
func (s *Set) AnySecret() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.byName {
		if len(t.TokenSecrets) > 0 {
			return true
		}
	}
	return false
}

// ByKey returns the tenant with a project key; of several, the first by name.
func (s *Set) ByKey(key string) (tenant string, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, t := range s.byName {
		if subtle.ConstantTimeCompare([]byte(key), []byte(t.ProjectKey)) == 1 && (!known || name < tenant) {
			tenant, known = name, true
		}
	}
	return tenant, known
}

// Changed returns a channel that is closed when the tenants are replaced.
func (s *Set) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// Has reports whether the tenant exists.
func (s *Set) Has(tenant string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[tenant].Name != ""
}

// StoreShare returns the part of the store that a tenant may fill.
func (s *Set) StoreShare(tenant string) float64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if share := s.byName[tenant].StoreShare; share > 0 {
		return share
	}
	return 1 / float64(len(s.byName))
}

// Key returns a function that returns the current project key of a tenant.
func (s *Set) Key(tenant string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if t, ok := s.byName[tenant]; ok {
			return t.ProjectKey, nil
		}
		return "", fmt.Errorf("relay: unknown tenant %s", tenant)
	}
}

// Prefixes returns the prefixes of the topics of all tenants, by name.
func (s *Set) Prefixes() map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	prefixes := map[string]string{}
	for prefix, tenant := range s.byPrefix {
		prefixes[tenant] = prefix
	}
	return prefixes
}

// ByTopic returns the tenant and the serial of a topic PREFIX/SERIAL/chunk. The serial may be
// invalid. known reports whether the topic has this form and its prefix is known.
func (s *Set) ByTopic(topic string) (tenant, serial string, known bool) {
	device, ok := strings.CutSuffix(topic, "/chunk")
	at := strings.LastIndexByte(device, '/')
	if !ok || at < 0 {
		return "", "", false
	}
	tenant, known = s.ByPrefix(device[:at])
	return tenant, device[at+1:], known
}

// ByPrefix returns the tenant with a prefix.
func (s *Set) ByPrefix(prefix string) (tenant string, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tenant, known = s.byPrefix[prefix]
	return tenant, known
}
