package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Files are the files of a server that uses TLS.
type Files struct {
	Certificate, Key string
	ClientCA         string // empty if client certificates are not requested
}

// TLS is the configuration of a server, whose files can be read again. Connections that exist
// are not affected. Create it with [LoadTLS].
type TLS struct {
	files   Files
	current atomic.Pointer[tls.Config]
}

// LoadTLS reads the files.
func LoadTLS(files Files) (*TLS, error) {
	t := &TLS{files: files}
	return t, t.Reload()
}

// Reload reads the files again. If they are invalid, the configuration stays as it is.
func (t *TLS) Reload() error {
	certificate, err := tls.LoadX509KeyPair(t.files.Certificate, t.files.Key)
	if err != nil {
		return fmt.Errorf("relay: TLS: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	if t.files.ClientCA != "" {
		text, err := os.ReadFile(t.files.ClientCA)
		if err != nil {
			return fmt.Errorf("relay: TLS: %w", err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return errors.New("relay: TLS: the file of client authorities contains no certificate")
		}
	}
	t.current.Store(config)
	return nil
}

// Server returns a configuration for a listener, which uses the files as they were read last.
func (t *TLS) Server(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			config := t.current.Load().Clone()
			config.NextProtos = protocols
			return config, nil
		},
	}
}

// VerifiesClients reports whether client certificates are requested.
func (t *TLS) VerifiesClients() bool { return t.files.ClientCA != "" }
