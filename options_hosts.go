package memfault

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// hosts contains the address of each host, by its role.
type hosts [operation.Presigned]*url.URL

func (c *config) hosts() (hosts, error) {
	var parsed hosts
	for role, base := range c.urls {
		u, err := parseBaseURL(base.text, c.insecure)
		if err != nil {
			return hosts{}, invalid("%s: %w", base.option, err)
		}
		parsed[role] = u
	}
	return parsed, nil
}

// parseBaseURL does not quote a URL that it rejects, because it may contain a password.
func parseBaseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the text does not parse as a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("the URL must be an absolute http or https URL")
	case u.User != nil:
		return nil, errors.New("the URL must not contain a user name; credentials belong in the Authenticator")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the URL must not contain a query or a fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, errors.New("plain http requires WithInsecureHTTP or a loopback address")
	}
	path := strings.TrimRight(u.EscapedPath(), "/") // an escaped slash at the end remains
	if u.Path, err = url.PathUnescape(path); u.RawPath != "" {
		u.RawPath = path
	}
	return u, err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// own reports whether u leads to one of the hosts. Credentials are sent nowhere else.
func (h *hosts) own(u *url.URL) bool {
	for _, base := range h {
		if u.Scheme == base.Scheme && (u.Host == base.Host || canonicalHost(u) == canonicalHost(base)) {
			return true
		}
	}
	return false
}

// onlyNRFCloud reports whether u leads to nRF Cloud and to no other of the hosts.
func (h *hosts) onlyNRFCloud(u *url.URL) bool {
	others := *h
	others[operation.NRFCloud] = h[operation.API]
	return h.own(u) && !others.own(u)
}

func canonicalHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
