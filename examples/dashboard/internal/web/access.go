package web

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// Access decides which requests are served. The zero value serves requests for names of loopback.
type Access struct {
	// Hosts are the names in the Host header that are served, besides those of loopback. Without
	// the check, a page of another site whose name resolves to this address could read the fleet.
	Hosts []string
	// Proxies are the addresses whose forwarded headers are believed.
	Proxies []netip.Prefix
	// AuthHeader is the header in which a proxy names the user. If it is set, requests without it,
	// or not from Proxies, are rejected.
	AuthHeader string
	Users      *Users // if it is set, requests need a name and a password of it
}

type identityKey struct{}

// identityOf returns the name of the user who sent the request; empty if nobody has to log in.
func identityOf(r *http.Request) string {
	name, _ := r.Context().Value(identityKey{}).(string)
	return name
}

func (a *Access) require(next http.Handler) http.Handler {
	return a.requireHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := ""
		switch {
		case a.AuthHeader != "":
			name = r.Header.Get(a.AuthHeader)
			if !a.fromProxy(r) {
				http.Error(w, "Only the proxy may connect to the dashboard.", http.StatusForbidden)
				return
			}
			if name == "" {
				http.Error(w, "The proxy did not name the user in the header "+a.AuthHeader+".", http.StatusUnauthorized)
				return
			}
		case a.Users != nil:
			user, password, _ := r.BasicAuth()
			if !a.Users.check(user, password) {
				w.Header().Set("WWW-Authenticate", `Basic realm="dashboard", charset="UTF-8"`)
				http.Error(w, "A name and a password are required.", http.StatusUnauthorized)
				return
			}
			name = user
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, name)))
	}))
}

// requireHost rejects requests for other names.
func (a *Access) requireHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" && a.fromProxy(r) {
			host = forwarded
		}
		if !a.servesHost(host) {
			http.Error(w, fmt.Sprintf("The dashboard is not served as %q. The flag -host permits a name.", host), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *Access) servesHost(host string) bool {
	name := host
	if without, _, err := net.SplitHostPort(host); err == nil {
		name = without
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if address, err := netip.ParseAddr(name); err == nil && address.IsLoopback() || name == "localhost" {
		return true
	}
	return slices.ContainsFunc(a.Hosts, func(allowed string) bool {
		return strings.EqualFold(allowed, name) || strings.EqualFold(allowed, host)
	})
}

func (a *Access) fromProxy(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap()) })
}

// Users are names with the bcrypt hashes of their passwords. Create them with [ReadUsers].
type Users struct {
	hashes map[string][]byte
	nobody []byte // with which an unknown name is compared, so that it takes as long as a known one

	mu    sync.Mutex
	known map[[sha256.Size]byte]bool // names and passwords that were right; bcrypt is slow
}

// ReadUsers reads lines of the form name:hash, as htpasswd -B writes them. Empty lines and those
// that begin with # are ignored.
func ReadUsers(from io.Reader) (*Users, error) {
	users := &Users{hashes: map[string][]byte{}, known: map[[sha256.Size]byte]bool{}}
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, found := strings.Cut(line, ":")
		if !found || name == "" {
			return nil, fmt.Errorf("line %d: want name:hash", n)
		}
		_, err := bcrypt.Cost([]byte(hash))
		if err != nil {
			return nil, fmt.Errorf("line %d: the password of %s is not a bcrypt hash, as htpasswd -B writes it", n, name)
		}
		users.hashes[name], users.nobody = []byte(hash), []byte(hash)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(users.hashes) == 0 {
		return nil, errors.New("the file contains no user")
	}
	return users, nil
}

func (u *Users) check(name, password string) bool {
	sum := sha256.Sum256([]byte(name + "\x00" + password))
	u.mu.Lock()
	known := u.known[sum]
	u.mu.Unlock()
	if known {
		return true
	}
	hash, exists := u.hashes[name]
	if !exists {
		hash = u.nobody
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !exists {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known[sum] = true // at most one for each user
	return true
}
