package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard rejects requests that a web page of another site makes the user's browser send. Such a
// page can send requests to any address, and its name can even resolve to this machine.
// Programs other than browsers send neither Origin nor Sec-Fetch-Site. own is the host of the
// server's address.
func guard(own string, next http.Handler) http.Handler {
	var protection http.CrossOriginProtection // Sec-Fetch-Site and Origin
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		err := protection.Check(r)
		if err == nil && !isOwnHost(r.Host, own) {
			err = fmt.Errorf("%q is not the name of this server: to use the name, start it with -addr", r.Host)
		}
		if err != nil {
			http.Error(w, "fakecloud: "+err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwnHost reports whether a Host header can be that of a request to this server: an IP
// address, the host of its address, localhost, or a name without a dot, as a container has. A
// web page of another site has none of these.
func isOwnHost(host, own string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host != "" && (host == strings.ToLower(own) || !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost"))
}
