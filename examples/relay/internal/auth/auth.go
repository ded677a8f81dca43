// Package auth decides who may send chunks of which device.
package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

// Mode is what a device must present.
type Mode string

// The modes.
const (
	// Auto is Device if the devices can be authenticated, and Off if only this machine can reach
	// the relay. Otherwise it is an error.
	Auto Mode = ""
	// Device is a token or a client certificate, and the device may only send as itself.
	Device Mode = "device"
	// Key is what Memfault itself requires: the project key of the tenant, which all its devices
	// have. A device with a token or a certificate may only send as itself.
	Key Mode = "key"
	// Off is nothing: who reaches the relay may send for any device of any tenant.
	Off Mode = "off"
)

// Auth decides who may send. It is safe for concurrent use by multiple goroutines.
type Auth struct {
	Mode    Mode // not Auto
	Tenants *tenants.Set
}

// Config is what a mode is chosen from.
type Config struct {
	Mode         Mode
	Certificates bool     // whether client certificates are verified
	Addresses    []string // on which devices are served; empty ones are none
	Tenants      *tenants.Set
}

// New returns an [Auth] with the mode of the configuration, or with the one that Auto chooses.
func New(c Config) (*Auth, error) {
	mode := c.Mode
	if mode == Auto {
		mode = Off
		for _, address := range c.Addresses {
			if address != "" && !loopback(address) {
				mode = Device
			}
		}
		if c.Certificates || c.Tenants.AnySecret() {
			mode = Device
		}
	}
	a := &Auth{Mode: mode, Tenants: c.Tenants}
	switch mode {
	case Off, Key:
	case Device:
		if c.Certificates {
			break
		}
		err := c.Tenants.Require(func(t tenants.Tenant) error {
			if len(t.TokenSecrets) == 0 {
				return errors.New("it has no token_secrets")
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("relay: devices cannot be authenticated: %w: set token_secrets of each tenant, or -tls-client-ca, or say that the project key is enough (-auth key), or that everybody may send for every device (-auth off)", err)
		}
	default:
		return nil, fmt.Errorf("relay: unknown -auth %q: it must be device, key or off", mode)
	}
	return a, nil
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Errors of a device.
var (
	ErrUnknown = errors.New("relay: no valid token, certificate or project key")
	ErrOther   = errors.New("relay: not the device that may send this")
)

// Credentials are what a device presented.
type Credentials struct {
	Certificate *x509.Certificate // verified; nil if there is none
	Token       string            // the project key has the same effect as in ProjectKey
	ProjectKey  string
}

// Certificate returns the verified certificate of a connection, or nil.
func Certificate(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

// Check returns nil if the credentials allow to send chunks of a device.
func (a *Auth) Check(c Credentials, tenant, serial string) error {
	switch {
	case a.Mode == Off:
		return nil
	case c.Certificate != nil:
		if !a.certifies(c.Certificate, tenant, serial) {
			return ErrOther
		}
		return nil
	case a.tokenIsOf(c.Token, tenant, serial), a.Mode == Key && (a.keyIsOf(c.ProjectKey, tenant) || a.keyIsOf(c.Token, tenant)):
		return nil
	}
	return ErrUnknown
}

func (a *Auth) keyIsOf(key, tenant string) bool {
	of, ok := a.Tenants.ByKey(key)
	return ok && of == tenant
}

// certifies reports whether a certificate names a device. A URI names it in its last two
// segments, TENANT/SERIAL. Without a URI, the common name is TENANT/SERIAL, or SERIAL where
// the relay has only one tenant.
func (a *Auth) certifies(certificate *x509.Certificate, tenant, serial string) bool {
	for _, uri := range certificate.URIs {
		segments := strings.Split(strings.Trim(uri.Host+uri.Path+"/"+uri.Opaque, "/"), "/")
		if n := len(segments); n >= 2 && segments[n-2] == tenant && segments[n-1] == serial {
			return true
		}
	}
	if len(certificate.URIs) > 0 {
		return false
	}
	name := certificate.Subject.CommonName
	return name == tenant+"/"+serial || name == serial && a.Tenants.Len() == 1
}

// tokenIsOf reports whether a token is the one of a device, by any secret of the tenant.
func (a *Auth) tokenIsOf(token, tenant, serial string) bool {
	given, err := hex.DecodeString(token)
	if err != nil {
		return false
	}
	for _, secret := range a.Tenants.TokenSecrets(tenant) {
		if hmac.Equal(given, mac(secret, serial)) {
			return true
		}
	}
	return false
}

// Token returns the token of a device: the HMAC-SHA256 of its serial, in hexadecimal.
func Token(secret, serial string) string { return hex.EncodeToString(mac(secret, serial)) }

func mac(secret, serial string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = h.Write([]byte(serial)) // a hash returns no error
	return h.Sum(nil)
}
