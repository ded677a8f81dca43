package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/memfault-go/memfault/examples/dashboard/internal/web"
)

// access contains the flags that decide who can read the fleet.
type access struct {
	hosts      []string
	authHeader string
	basicAuth  string // path
	trustProxy []string
	noLogin    bool
}

func (a *access) flags(flags *flag.FlagSet) {
	flags.Var((*list)(&a.hosts), "host", "`names` in the Host header that are served, separated by commas, besides those of loopback")
	flags.StringVar(&a.authHeader, "auth-header", "", "`header` in which the proxy names the user, such as X-Forwarded-User; requests without it are rejected")
	flags.StringVar(&a.basicAuth, "basic-auth", "", "`file` with users who must log in, as htpasswd -B writes it")
	flags.Var((*list)(&a.trustProxy), "trust-proxy", "`addresses` of proxies whose forwarded headers are believed, separated by commas; with -auth-header, those of loopback by default")
	flags.BoolVar(&a.noLogin, "anyone-may-read", false, "serve the fleet on an address other than loopback without a login")
}

// check returns an error unless readers need a login, or only this machine can connect.
func (a *access) check(addr string) error {
	switch host, _, err := net.SplitHostPort(addr); {
	case err != nil:
		return fmt.Errorf("-addr: %w", err)
	case a.authHeader != "" && a.basicAuth != "":
		return errors.New("-auth-header and -basic-auth exclude each other")
	case a.authHeader == "" && a.basicAuth == "" && !a.noLogin && !isLoopback(host):
		return fmt.Errorf("anyone who can connect to %s could read the fleet; use -auth-header or -basic-auth, or ask for it with -anyone-may-read", addr)
	}
	_, err := a.prefixes()
	return err
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback() || host == "localhost"
}

func (a *access) prefixes() (prefixes []netip.Prefix, err error) {
	texts := a.trustProxy
	if len(texts) == 0 && a.authHeader != "" {
		texts = []string{"127.0.0.0/8", "::1"}
	}
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, addressErr := netip.ParseAddr(text)
			if addressErr != nil {
				return nil, fmt.Errorf("-trust-proxy: %q is not an address or a range", text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// load reads the file of users.
func (a *access) load() (web.Access, error) {
	prefixes, err := a.prefixes()
	loaded := web.Access{Hosts: a.hosts, Proxies: prefixes, AuthHeader: a.authHeader}
	if err != nil || a.basicAuth == "" {
		return loaded, err
	}
	file, err := os.Open(a.basicAuth)
	if err != nil {
		return loaded, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if loaded.Users, err = web.ReadUsers(file); err != nil {
		return loaded, fmt.Errorf("%s: %w", a.basicAuth, err)
	}
	return loaded, nil
}
